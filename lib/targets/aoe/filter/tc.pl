#!/usr/bin/perl
# Runs tc, for as long as its standard input is open. It is small, so its forks cost a tenth of the daemon's.
# A request is a line of words, percent-encoded: number, the lines for the standard input of tc, arguments of tc.
# The answer: "number > text" for each line that tc writes, then "number done status".
use strict;
use warnings;

$| = 1;
while (my $line = <STDIN>) {
    my ($number, $input, @arguments) = map { s/%([0-9A-F]{2})/chr hex $1/ger } split / /, $line =~ s/\n$//r;
    my $given = "$input\n";
    pipe my $in,  my $to_tc   or die "pipe: $!\n";
    pipe my $from_tc, my $out or die "pipe: $!\n";
    my $pid = fork;
    defined $pid or die "fork: $!\n";
    if ($pid == 0) {
        open STDIN,  '<&', $in  or die "stdin: $!\n";
        open STDOUT, '>&', $out or die "stdout: $!\n";
        open STDERR, '>&', $out or die "stderr: $!\n";
        close $_ for $in, $to_tc, $from_tc, $out;
        exec 'tc', @arguments or do { print STDERR "failed to execute tc: $!\n"; exit 127 };
    }
    close $in;
    close $out;
    # tc writes no more than a pipe holds before it has read all of this: it answers to failed lines alone.
    local $SIG{PIPE} = 'IGNORE';
    print {$to_tc} $given;
    close $to_tc;
    while (my $text = <$from_tc>) { chomp $text; print "$number > $text\n" }
    close $from_tc;
    waitpid $pid, 0;
    print "$number done ", $? >> 8 || $? & 127, "\n";
}
