#!/usr/bin/perl
# Answers AoE configuration queries on an interface, as many targets would.
# Usage: aoe-responder.pl <interface> <mode> <shelf>...
# Modes: all      every one of the 255 slots of the shelves that are asked
#        forged   slot 1 of the asked shelf, with answers about other shelves, other tags and other commands around it
#        endless  slot 1 again and again, for ten seconds
#        slot     slots that are asked directly
use strict;
use warnings;
my ($interface, $mode, @shelves) = @ARGV;
my %served = map { $_ => 1 } @shelves;
sub attribute { open my $file, '<', "/sys/class/net/$interface/$_[0]" or die; chomp(my $value = <$file>); return $value }
socket(my $socket, 17, 3, unpack 'S', pack 'n', 0x88a2) or die "socket: $!";
setsockopt $socket, 1, 33, pack 'i', 8 * 2**20;
bind($socket, pack 'S n i S C C a8', 17, 0x88a2, attribute('ifindex'), 0, 0, 0, '') or die "bind: $!";
my $own = pack 'H12', attribute('address') =~ s/://gr;
$| = 1;
print "ready\n";
while (1) {
    defined recv $socket, my $frame, 2048, 0 or die "recv: $!";
    my ($to, $from, $type, $flags, undef, $shelf, $slot, $command, $tag) = unpack 'a6 a6 n C C n C C a4', $frame;
    next if $flags & 8 || $command != 1 || !$served{$shelf};
    my $answer = sub {
        my ($of, $at, $with, $kind) = @_;
        my $text = pack 'a6 a6 n C C n C C a4 n n C C n', $from, $own, 0x88a2, 0x18, 0, $of, $at, $kind // 1, $with, 16, 0x4019, 2, 0x10, 0;
        $text .= "\0" x (60 - length $text);
        until (defined send $socket, $text, 0) { select undef, undef, undef, 0.001 }
    };
    if ($mode eq 'all') { $answer->($shelf, $_, $tag) for 0 .. 254 }
    elsif ($mode eq 'slot') { $answer->($shelf, $slot, $tag) if $slot != 255 }
    elsif ($mode eq 'endless') {
        my $end = time + 10;
        while (time < $end) { $answer->($shelf, 1, $tag); select undef, undef, undef, 0.01 }
    } else {
        $answer->($shelf + 1, 1, $tag);
        $answer->(0xffff, 1, $tag);
        $answer->($shelf, 255, $tag);
        $answer->($shelf, 2, pack 'N', 12345);
        $answer->($shelf, 3, $tag, 0);
        $answer->($shelf, 1, $tag);
    }
}
