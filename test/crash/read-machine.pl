# What runs and what lies on a machine of the lab, a line each: vblades with their arguments, the files in the first argument, processes
# with the environment variable that is the second. One process for all: each costs much on such a machine.
use strict;
use warnings;

my ($directory, $variable) = @ARGV;

sub content {
    my ($file) = @_;
    open my $handle, '<', $file or return '';    # a process that has just ended
    local $/;
    return <$handle> // '';
}

sub files {
    my ($prefix) = @_;
    opendir my $handle, "$directory/$prefix" or return;
    for my $name (sort grep { !/^\.\.?$/ } readdir $handle) {
        print "file $prefix$name\n";
        files("$prefix$name/") if !-l "$directory/$prefix$name" && -d _;
    }
}

files('');
for my $process (glob '/proc/[0-9]*') {
    my ($pid, $name, $parent) = content("$process/stat") =~ /^(\d+) (\(.*\)) \S (\d+)/s or next;
    my @words = split /\0/, content("$process/cmdline");
    print join(' ', 'vblade', $pid, @words), "\n" if $name eq '(vblade)' && @words;
    print "process $name $pid $parent\n" if content("$process/environ") =~ /(^|\0)$variable=/;
}
