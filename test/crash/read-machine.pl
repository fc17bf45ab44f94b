# What runs and what lies on a machine of the lab, a line each: vblades with their arguments, iSCSI targets of the kernel with what a daemon
# sets of them, the files in the first argument, processes with the environment variable that is the second. One process for all: each
# costs much on such a machine.
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

# Attributes with their first lines, links with where they lead, and objects without either.
sub settings {
    my ($object, @patterns) = @_;
    my @words;
    for my $path (glob join ' ', map { "$object/$_" } @patterns) {
        my $word = substr $path, length "$object/";
        if    (-l $path) { $word .= '->' . readlink $path }
        elsif (-f $path) { $word .= '=' . (content($path) =~ /^(.*)/)[0] }
        push @words, $word if -e $path;
    }
    return @words;
}

files('');
for my $process (glob '/proc/[0-9]*') {
    my ($pid, $name, $parent) = content("$process/stat") =~ /^(\d+) (\(.*\)) \S (\d+)/s or next;
    my @words = split /\0/, content("$process/cmdline");
    print join(' ', 'vblade', $pid, @words), "\n" if $name eq '(vblade)' && @words;
    print "process $name $pid $parent\n" if content("$process/environ") =~ /(^|\0)$variable=/;
}

my $kernel = '/sys/kernel/config/target';
for my $target (glob "$kernel/iscsi/iqn.*") {
    # An object that was made anew has another number.
    my $identity = join ',', map { (stat $_)[1] } glob "$target/tpgt_1 $target/tpgt_1/acls/*";
    my @attributes = qw(authentication generate_node_acls demo_mode_write_protect prod_mode_write_protect demo_mode_discovery);
    my @settings   = settings("$target/tpgt_1", 'enable', (map { "attrib/$_" } @attributes), qw(np/* lun/*/volume acls/*/lun_*/volume),
        qw(acls/*/lun_*/write_protect acls/*/auth/userid acls/*/auth/password));
    print join(' ', 'target', $identity, $target =~ s/.*\///r, @settings), "\n";
}
for my $store (glob "$kernel/core/*_*/volume-*") {
    print join(' ', 'backstore', substr($store, length "$kernel/"), settings($store, qw(enable udev_path wwn/vpd_unit_serial))), "\n";
}
