const bash = `# bash completion of blockstore
_blockstore() {
  local lines line
  mapfile -t lines < <("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ \${lines[0]} == :files ]]; then
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
    return
  fi
  COMPREPLY=()
  for line in "\${lines[@]}"; do
    COMPREPLY+=("$(printf %q "\${line%%$'\\t'*}")")
  done
}
complete -F _blockstore blockstore
`;

const zsh = `#compdef blockstore
# zsh completion of blockstore
_blockstore() {
  local -a lines values
  local line
  lines=("\${(@f)$("$words[1]" __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $lines[1] == :files ]]; then
    _files
    return
  fi
  for line in $lines; do
    values+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe blockstore values
}
if [[ $funcstack[1] == _blockstore ]]; then
  _blockstore "$@"
else
  compdef _blockstore blockstore
fi
`;

const fish = `# fish completion of blockstore
function __blockstore_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l lines ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
  if test "$lines[1]" = :files
    __fish_complete_path "$current"
  else if set -q lines[1]
    printf '%s\\n' $lines
  end
end
complete -c blockstore -f -a '(__blockstore_complete)'
`;

const scripts: Readonly<Record<string, string>> = { bash, zsh, fish };

/** Returns the completion script of a shell. It calls "blockstore __complete", so it needs no update. */
export function shellScript(shell: string): string {
  return scripts[shell] ?? '';
}
