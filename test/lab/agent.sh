# Runs what the tests ask for: a connection carries a line with a number of bytes, and a shell script of so many bytes;
# the answer is its output (stdout and stderr together), a newline and a last line with its status. BUNDLE has the programs
# as they are shipped; an installed package comes before it.
repository=${0%/test/lab/*}
if [ "$1" = listen ]; then
  echo 'LAB READY'
  exec socat TCP-LISTEN:7000,reuseaddr,fork,nodelay,keepalive,backlog=64 "EXEC:sh $0,stderr"
fi
export PATH="$repository/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$BUNDLE/bin"
export NODE_COMPILE_CACHE="$repository/node_modules/.cache/compiled" HOME=/root LC_ALL=C.UTF-8 LVM_SUPPRESS_FD_WARNINGS=1
cd "$repository" || exit 1
read -r length
# Not all by read, which takes a system call for each byte; and eval, since every process costs 20 to 45 times what it
# does on the host.
script=$(head -c "$length")
(eval "$script") </dev/null 2>&1
printf '\n%s\n' "$?"
