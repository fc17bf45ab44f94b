#!/usr/bin/perl
# Runs tc, for as long as its standard input is open. It is small, so its forks cost a tenth of the daemon's.
# A request is a line of words, percent-encoded: number, the lines for the standard input of tc, arguments of tc.
# The answer: "number > text" for each line that tc writes, then "number done status".
# With the arguments "tcx" and the name of an interface: a line "id name" for each program that runs before all filters
# of tc, which tc does not show.
use strict;
use warnings;
use Config;

# The bpf system call and its commands; the attachment BPF_TCX_INGRESS.
my ($bpf) = map { $Config{archname} =~ $_->[0] ? $_->[1] : () } (
    [ qr/^x86_64.*gnux32/,            undef ],
    [ qr/^x86_64/,                    321 ],
    [ qr/^(aarch64|riscv|loongarch)/, 280 ],
    [ qr/^i[3-6]86/,                  357 ],
    [ qr/^arm/,                       386 ],
    [ qr/^(powerpc|ppc)/,             361 ],
    [ qr/^s390/,                      351 ],
);
my ($get_program, $get_info, $query, $tcx_ingress) = (13, 15, 16, 46);

sub address { return unpack 'J', pack 'P', $_[0] }

# Memory that the kernel may write: not that of a constant.
sub zeros {
    my ($length) = @_;
    vec(my $bytes = '', $length - 1, 8) = 0;
    return $bytes;
}

sub call {
    my $command = shift;
    return syscall $bpf, $command, $_[0], length $_[0];
}

# None where this kernel has no such programs, or lets nobody list them.
sub tcx_programs {
    my ($interface) = @_;
    open my $file, '<', "/sys/class/net/$interface/ifindex" or return;
    my $index = int <$file>;
    my $ids   = zeros(4 * 64);    # the kernel allows no more
    my $attributes = pack 'L4QL2x32', $index, $tcx_ingress, 0, 0, address($ids), 64, 0;
    return if !$bpf || call($query, $attributes) < 0;
    my $count = unpack 'x24L', $attributes;
    return map { "$_ " . program_name($_) } unpack "L$count", $ids;
}

sub program_name {
    my ($id) = @_;
    my $program = call($get_program, pack 'L3x52', $id, 0, 0);
    return '' if $program < 0;
    my $info = zeros(80);    # the name is in the last 16 bytes
    call($get_info, pack 'L2Qx48', $program, length $info, address($info));
    open my $file, '<&=', $program or die "program: $!\n";    # closes it in the end
    return unpack 'x64Z16', $info;
}

$| = 1;
while (my $line = <STDIN>) {
    my ($number, $input, @arguments) = map { s/%([0-9A-F]{2})/chr hex $1/ger } split / /, $line =~ s/\n$//r;
    if ($arguments[0] eq 'tcx') {
        print "$number > $_\n" for tcx_programs($arguments[1]);
        print "$number done 0\n";
        next;
    }
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
