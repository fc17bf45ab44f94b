#!/usr/bin/perl
# Asks every AoE target on one Ethernet interface for its configuration and prints "shelf slot mac" for each answer, and
# "done" at the end.
# Node.js has no raw sockets; perl-base is on every Debian.
# Usage: discover.pl <interface> <milliseconds to listen>
# Exit codes: 0 done, 3 no such interface, 4 raw sockets are not permitted, 1 anything else.
use strict;
use warnings;

use constant {
    AF_PACKET => 17,
    SOCK_RAW  => 3,
    ETH_P_AOE => 0x88a2,
    RESPONSE  => 0x08,
    QUERY     => 1,
};

my ($interface, $limit) = @ARGV;
die "usage: discover.pl <interface> <milliseconds>\n" unless defined $limit && $limit =~ /^\d+$/;

# First line of a file under /sys/class/net/<interface>.
sub attribute {
    my ($name) = @_;
    open(my $file, '<', "/sys/class/net/$interface/$name") or fail(3, "$interface: no such interface");
    my $value = <$file>;
    close $file;
    chomp $value;
    return $value;
}

sub fail {
    my ($code, $reason) = @_;
    print STDERR "$reason\n";
    exit $code;
}

my $index   = attribute('ifindex');
my $address = pack 'H12', attribute('address') =~ s/://gr;

socket(my $socket, AF_PACKET, SOCK_RAW, unpack('S', pack('n', ETH_P_AOE)))
    or fail($!{EPERM} ? 4 : 1, "raw socket: $!");
# struct sockaddr_ll: family, protocol (network order), interface, hardware type, packet type, address length, address
bind($socket, pack('S n i S C C a8', AF_PACKET, ETH_P_AOE, $index, 0, 0, 0, '')) or fail(1, "bind: $!");

# Ethernet header; version 1, no flags; error; shelf and slot: all; command; tag; buffers, firmware, sectors, read, length
my $tag   = pack 'N', int rand 2**31;
my $query = pack 'a6 a6 n C C n C C a4 n n C C n',
    "\xff" x 6, $address, ETH_P_AOE, 0x10, 0, 0xffff, 0xff, QUERY, $tag, 0, 0, 0, 0, 0;
$query .= "\0" x (60 - length $query);
defined send($socket, $query, 0) or fail(1, "send: $!");

my $left = $limit / 1000;
while ($left > 0) {
    my $readable = '';
    vec($readable, fileno $socket, 1) = 1;
    (my $found, $left) = select($readable, undef, undef, $left);    # Linux gives back what is left of the time
    last unless $found > 0;
    defined recv($socket, my $frame, 2048, 0) or fail(1, "receive: $!");
    next if length $frame < 24;
    my (undef, $source, $type, $flags, undef, $shelf, $slot, $command, $answered) = unpack 'a6 a6 n C C n C C a4', $frame;
    next unless $type == ETH_P_AOE && $flags & RESPONSE && $command == QUERY && $answered eq $tag;
    printf "%d %d %s\n", $shelf, $slot, join ':', unpack '(H2)6', $source;
}
print "done\n";
