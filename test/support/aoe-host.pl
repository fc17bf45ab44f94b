#!/usr/bin/perl
# A host with an AoE initiator: reads and writes one export as the machine with an Ethernet address of its own, which it need not have.
# Usage: aoe-host.pl <interface> <source> <shelf> <slot> <patience in milliseconds>
# Commands on standard input, a line each: "identify", "read <sector> <count>", "write <sector> <bytes, hexadecimal>".
# An answer each: "ok <bytes, hexadecimal>", "error <what the export reports>", or "silence" where it does not answer.
use strict;
use warnings;
my ($interface, $source, $shelf, $slot, $patience) = @ARGV;
my $atOnce = 2;    # sectors in a frame, of any MTU
my $againAfter = 0.1;
sub attribute { open my $file, '<', "/sys/class/net/$interface/$_[0]" or die "$interface: $!\n"; chomp(my $value = <$file>); return $value }
socket(my $socket, 17, 3, unpack 'S', pack 'n', 0x88a2) or die "socket: $!\n";
bind($socket, pack 'S n i S C C a8', 17, 0x88a2, attribute('ifindex'), 0, 0, 0, '') or die "bind: $!\n";
setsockopt($socket, 263, 1, pack('i S S a8', attribute('ifindex'), 1, 0, '')) or die "promiscuous: $!\n";
my $own = pack 'H*', $source =~ s/://gr;

# Sends an ATA command until it is answered. Returns the data of the answer, or what is wrong.
sub ask {
    my ($flags, $count, $command, $sector, $data) = @_;
    my $tag = pack 'N', int rand 2**32;
    my @lba = unpack 'C6', pack 'Q<', $sector;
    my $frame = pack('a6 a6 n C C n C C a4', "\xff" x 6, $own, 0x88a2, 0x10, 0, $shelf, $slot, 0, $tag)
        . pack('C C C C C6 n', $flags, 0, $count, $command, @lba, 0) . $data;
    $frame .= "\0" x (60 - length $frame) if length $frame < 60;
    my $left = $patience / 1000;
    while ($left > 0) {
        defined send $socket, $frame, 0 or die "send: $!\n";
        my $wait = $againAfter;
        while ($wait > 0) {
            my $readable = '';
            vec($readable, fileno $socket, 1) = 1;
            (my $found, my $rest) = select $readable, undef, undef, $wait;
            $left -= $wait - $rest;
            $wait = $rest;
            last unless $found > 0;
            defined recv $socket, my $answer, 9100, 0 or die "receive: $!\n";
            my ($to, undef, undef, $kind, $error, undef, undef, undef, $with, undef, undef, undef, $status, undef, $bytes) =
                unpack 'a6 a6 n C C n C C a4 C C C C a8 a*', $answer;
            next unless $kind & 8 && $with eq $tag && $to eq $own;
            return (undef, "AoE error $error") if $kind & 4;
            return (undef, sprintf 'ATA status 0x%02x', $status) if $status & 0x21;
            return $bytes;
        }
    }
    return (undef, undef);
}

$| = 1;
while (my $line = <STDIN>) {
    my ($verb, $sector, $rest) = split ' ', $line;
    my @parts = $verb eq 'identify' ? [0, 1, 0xec, 0, '', 512] : ();
    if ($verb eq 'read') {
        for (my $from = 0; $from < $rest; $from += $atOnce) {
            my $count = $rest - $from < $atOnce ? $rest - $from : $atOnce;
            push @parts, [0x40, $count, 0x24, $sector + $from, '', $count * 512];
        }
    } elsif ($verb eq 'write') {
        my $bytes = pack 'H*', $rest;
        for (my $from = 0; $from < length $bytes; $from += $atOnce * 512) {
            my $part = substr $bytes, $from, $atOnce * 512;
            push @parts, [0x41, length($part) / 512, 0x34, $sector + $from / 512, $part, 0];
        }
    }
    my $reply = 'ok ';
    for (@parts) {
        my ($flags, $count, $command, $at, $data, $length) = @$_;
        my ($bytes, $error) = ask($flags, $count, $command, $at, $data);
        if (!defined $bytes) {
            $reply = defined $error ? "error $error" : 'silence';
            last;
        }
        $reply .= unpack 'H*', substr $bytes, 0, $length;
    }
    print "$reply\n";
}
