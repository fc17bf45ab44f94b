#!/usr/bin/perl
# Sends AoE requests as any machine on the segment can, and prints the answers: for each request a line
# "answers: <from> <flags> <error> <command> <bytes after the header, hexadecimal>; …", or "silence".
# Usage: aoe-frames.pl <interface> <request>...
# A request is name=value pairs with commas: source, shelf, slot, command, data (hexadecimal, after the tag), vlan (tags, outer
# first, with +), flags, wait (milliseconds).
use strict;
use warnings;
my ($interface, @requests) = @ARGV;
sub attribute { open my $file, '<', "/sys/class/net/$interface/$_[0]" or die "$interface: $!\n"; chomp(my $value = <$file>); return $value }
sub bytes { return pack 'H*', $_[0] =~ s/://gr }
socket(my $socket, 17, 3, unpack 'S', pack 'n', 0x88a2) or die "socket: $!\n";
bind($socket, pack 'S n i S C C a8', 17, 0x88a2, attribute('ifindex'), 0, 0, 0, '') or die "bind: $!\n";
setsockopt($socket, 263, 1, pack('i S S a8', attribute('ifindex'), 1, 0, '')) or die "promiscuous: $!\n";
for (@requests) {
    my %request = (source => attribute('address'), shelf => 0xffff, slot => 0xff, command => 1, data => '', flags => 0x10, wait => 150, map { split /=/, $_, 2 } split /,/);
    my $tag  = pack 'N', int rand 2**32;
    my $tags = join '', map { pack 'n n', 0x8100, $_ } split /\+/, $request{vlan} // '';
    my $frame = "\xff" x 6 . bytes($request{source}) . $tags . pack('n C C n C C', 0x88a2, @request{qw(flags)}, 0, @request{qw(shelf slot command)}) . $tag . bytes($request{data});
    $frame .= "\0" x (60 - length $frame) if length $frame < 60;
    defined send $socket, $frame, 0 or die "send: $!\n";
    my @answers;
    my $left = $request{wait} / 1000;
    while ($left > 0) {
        my $readable = '';
        vec($readable, fileno $socket, 1) = 1;
        (my $found, $left) = select $readable, undef, undef, $left;
        last unless $found > 0;
        defined recv $socket, my $answer, 9100, 0 or die "receive: $!\n";
        my (undef, $from, undef, $flags, $error, undef, undef, $command, $with, $rest) = unpack 'a6 a6 n C C n C C a4 a*', $answer;
        next unless $flags & 8 && $with eq $tag;
        push @answers, sprintf '%s %d %d %d %s', join(':', unpack '(H2)6', $from), $flags, $error, $command, unpack 'H*', substr $rest, 0, 64;
    }
    print @answers ? 'answers: ' . join('; ', @answers) : 'silence', "\n";
}
