# Sends a line to the shell of a guest, through the socket of its serial port, and prints its output. Exits with its exit code.
use strict;
use warnings;
use IO::Socket::UNIX;

my ($path, $line, $seconds) = @ARGV;
my $console = IO::Socket::UNIX->new($path) or die "$path: $!\n";
my $received = '';
$SIG{ALRM} = sub { die "no answer from the guest, but: $received\n" };
alarm $seconds;
syswrite $console, "$line\n";
my $last = qr/(?:^|\n)exit=(\d+)\r?\n\z/;
while ($received !~ $last) {
    sysread $console, $received, 4096, length $received or die "the guest has ended: $received\n";
}
my ($status) = $received =~ $last;
print $received =~ s/$last//r =~ s/\r//gr;
exit $status;
