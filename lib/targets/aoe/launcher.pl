#!/usr/bin/perl
# Starts vblades that outlive it and the daemon. It is small, so its forks cost a tenth of the daemon's.
# Each line of its input: number, lock file, log file, arguments of vblade; blanks between them, each percent-encoded.
# The answer: number, "done", process id. The vblade holds the lock as long as it lives; where the lock is taken it ends without
# a word. Ends at the end of its input.
# Every module that it does not load makes each of its forks cheaper: a third, with strict, warnings and POSIX. Its test
# checks it with strict; setsid(1) gives it a session of its own.
if (!@ARGV) { exec 'setsid', '--wait', $^X, $0, 'in-session' or die "setsid: $!\n" }

our $lock_ex_nb = 2 | 4;
if (open my $daemon, '+<&=', 3) { close $daemon }

# Looked for once: with each start, the directories before the right one would cost a third of it.
my ($vblade) = grep { -x } map { "$_/vblade" } split /:/, $ENV{PATH} // '';
$vblade //= 'vblade';

# As root: with no right but to packet sockets, where this process may give up the others.
my @confined = ('setpriv', '--no-new-privs', '--inh-caps=-all,+net_raw', '--bounding-set=-all,+net_raw');
my $confines = $> == 0 && system("@confined true 2>/dev/null") == 0;

$| = 1;
$SIG{CHLD} = 'IGNORE';    # the kernel clears away what has ended

while (my $line = <STDIN>) {
    my ($number, $lock, $log, @arguments) = map { s/%([0-9A-F]{2})/chr hex $1/ger } split ' ', $line;
    my $pid = fork;
    defined $pid or die "fork: $!\n";
    if ($pid == 0) {
        launch($lock, $log, @arguments);
        kill 'KILL', $$;    # not exit: nothing of the launcher's is to be flushed or ended twice
    }
    print "$number done $pid\n";
}

sub launch {
    my ($lock, $log, @arguments) = @_;
    $SIG{CHLD} = 'DEFAULT';
    local $^F = 255;    # the lock stays open across exec
    my $opened = open my $held, '>>', $lock;
    my $reason = "$lock: $!\n";
    # The log belongs to the holder of the lock: another process would cut off what its vblade writes.
    flock $held, $lock_ex_nb or return if $opened;
    open STDERR, '>', $log or return;
    open STDOUT, '>&', \*STDERR or return;
    open STDIN, '<', '/dev/null' or return;
    return print STDERR $reason unless $opened;
    my @command = (confinement($arguments[-1]), $vblade, @arguments);
    exec { $command[0] } @command;
    print STDERR "failed to execute vblade: $!\n";
}

# What a vblade is started by: as the owner of the file; for a device that a group may write as nobody in that group.
sub confinement {
    my ($path) = @_;
    return unless $confines;
    my ($mode, $user, $group) = (stat $path)[2, 4, 5];
    return @confined unless defined $mode;
    $user = 65534 if -b _ && ($mode & 060) == 060 && $group != 0;
    return @confined if $user == 0;
    return (@confined, '--ambient-caps=+net_raw', "--reuid=$user", '--regid=65534', "--groups=$group");
}
