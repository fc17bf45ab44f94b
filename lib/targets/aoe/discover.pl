#!/usr/bin/perl
# Asks AoE targets for their configuration, for as long as its standard input is open: Node.js has no raw sockets, and
# perl-base is on every Debian.
#
# A request is a line of words: number, interface, milliseconds of silence that end the listening, most milliseconds in all,
# receive buffer in bytes, then what to ask as shelf.slot; slot 255 is every slot of the shelf.
# The answer: "number seen shelf slot mac" for each target, at most four for one address; then "number done lost", with the
# count of frames that this machine may have lost meanwhile, or "number failed reason text". Reasons: interface, rights,
# busy (answers did not end), other. Only answers to this very request from the shelves and slots asked count.
use strict;
use warnings;

use constant {
    AF_PACKET         => 17,
    SOCK_RAW          => 3,
    SOL_SOCKET        => 1,
    SO_RCVBUF         => 8,
    SO_ATTACH_FILTER  => 26,
    SO_RCVBUFFORCE    => 33,
    SOL_PACKET        => 263,
    PACKET_STATISTICS => 6,
    ETH_P_AOE         => 0x88a2,
    RESPONSE          => 0x08,
    QUERY             => 1,
    ALL_SLOTS         => 0xff,
    MOST_HOSTS        => 4,
    GAP               => 0.02,    # seconds between two queries of one request
};

$| = 1;
my %requests;    # by number
my $input = '';
my $open  = 1;

while ($open || %requests) {
    my ($readable, $now) = ('', now());
    vec($readable, fileno STDIN,        1) = 1 if $open;
    vec($readable, fileno $_->{socket}, 1) = 1 for values %requests;
    my $wait;
    for (values %requests) {
        my $left = due($_) - $now;
        $wait = $left < 0 ? 0 : $left if !defined $wait || $left < $wait;
    }
    my $ready = select($readable, undef, undef, $wait);
    next if $ready < 0;    # a signal
    for my $request (values %requests) {
        receive($request) if vec($readable, fileno $request->{socket}, 1);
        next unless defined $requests{ $request->{number} } && due($request) <= now();
        if (!@{ $request->{queries} }) { finish($request) }
        else { eval { ask($request); 1 } or close_request($request, 'failed ' . $@ =~ s/\n$//r) }
    }
    if ($open && vec($readable, fileno STDIN, 1)) {
        $open = sysread STDIN, $input, 65536, length $input;
        while ($input =~ s/^(.*)\n//) { begin(split ' ', $1) }
    }
}

# Seconds since boot, to a hundredth: a clock that nobody sets.
sub now {
    open my $file, '<', '/proc/uptime' or die "/proc/uptime: $!\n";
    my ($now) = split ' ', <$file>;
    close $file;
    return $now;
}

# When something is to be done about a request: the next query, or its end.
sub due {
    my ($request) = @_;
    return $request->{next} if @{ $request->{queries} };
    my $quiet = $request->{last} + $request->{quiet};
    return $quiet < $request->{limit} ? $quiet : $request->{limit};
}

sub begin {
    my ($number, $interface, $quiet, $limit, $buffer, @asked) = map { s/%([0-9A-F]{2})/chr hex $1/ger } @_;
    my $request = { number => $number, interface => $interface, quiet => $quiet / 1000 };
    eval {
        my $index   = attribute($interface, 'ifindex');
        my $address = pack 'H12', attribute($interface, 'address') =~ s/://gr;
        my $tag     = pack 'N', int rand 2**32;
        $request->{tag}  = $tag;
        $request->{counters} = counters($interface);
        socket(my $socket, AF_PACKET, SOCK_RAW, 0) or refuse($!{EPERM} ? 'rights' : 'other', "raw socket: $!");
        $request->{socket} = $socket;
        filter($socket, $tag);
        setsockopt($socket, SOL_SOCKET, SO_RCVBUFFORCE, pack 'i', $buffer)
            || setsockopt($socket, SOL_SOCKET, SO_RCVBUF, pack 'i', $buffer)
            || refuse('other', "receive buffer: $!");
        # struct sockaddr_ll: family, protocol (network order), interface, hardware type, packet type, address length, address
        bind($socket, pack 'S n i S C C a8', AF_PACKET, ETH_P_AOE, $index, 0, 0, 0, '') or refuse(down(), "bind: $!");
        $request->{asked}   = { map { tr/./ /r => 1 } @asked };
        $request->{queries} = [ map { query($address, split(/\./), $tag) } @asked ];
        $request->{limit}   = now() + $limit / 1000 + GAP * @asked;
        ask($request);
        $requests{$number} = $request;
        1;
    } or print "$number failed $@";
    return;
}

# Sends the next query. The answers to all of them at once would not fit the queues of every network on their way.
sub ask {
    my ($request) = @_;
    my $query = shift @{ $request->{queries} };
    defined send($request->{socket}, $query, 0) or refuse(down(), "send: $!");
    $request->{last} = now();
    $request->{next} = now() + GAP;
    return;
}

# A frame that asks: Ethernet header; version 1, no flags; error; shelf; slot; command; tag; buffers, firmware, sectors, read,
# length.
sub query {
    my ($address, $shelf, $slot, $tag) = @_;
    my $frame = pack 'a6 a6 n C C n C C a4 n n C C n',
        "\xff" x 6, $address, ETH_P_AOE, 0x10, 0, $shelf, $slot, QUERY, $tag, 0, 0, 0, 0, 0;
    return $frame . "\0" x (60 - length $frame);
}

# The kernel hands over answers with this tag alone: the traffic of volumes does not fill the buffer.
sub filter {
    my ($socket, $tag) = @_;
    my @program = (
        [0x30, 0, 0, 14], [0x45, 0, 5, RESPONSE],            # A = flags; answers
        [0x30, 0, 0, 19], [0x15, 0, 3, QUERY],               # A = command
        [0x20, 0, 0, 20], [0x15, 0, 1, unpack 'N', $tag],    # A = tag
        [0x06, 0, 0, 0xffff], [0x06, 0, 0, 0],
    );
    my $code = join '', map { pack 'S C C L', @$_ } @program;
    setsockopt($socket, SOL_SOCKET, SO_ATTACH_FILTER, pack('S x![L!] P', scalar @program, $code))
        or refuse('other', "filter: $!");
    return;
}

sub receive {
    my ($request) = @_;
    my $frame;
    if (!defined recv($request->{socket}, $frame, 2048, 64)) {    # MSG_DONTWAIT
        return if $!{EAGAIN};
        return close_request($request, 'failed ' . ($!{ENETDOWN} ? 'interface' : 'other') . " receive: $!");
    }
    return if length $frame < 24;
    my (undef, $source, $type, $flags, undef, $shelf, $slot, $command, $tag) = unpack 'a6 a6 n C C n C C a4', $frame;
    return unless $type == ETH_P_AOE && $flags & RESPONSE && $command == QUERY && $tag eq $request->{tag};
    return if $slot == ALL_SLOTS;
    return unless $request->{asked}{"$shelf $slot"} || $request->{asked}{ "$shelf " . ALL_SLOTS };
    $request->{last} = now();
    my $hosts = $request->{hosts}{"$shelf $slot"} //= {};
    return if $hosts->{$source} || keys %$hosts >= MOST_HOSTS;
    $hosts->{$source} = 1;
    printf "%s seen %d %d %s\n", $request->{number}, $shelf, $slot, join ':', unpack '(H2)6', $source;
    return;
}

sub finish {
    my ($request) = @_;
    return close_request($request, 'failed busy answers do not end') if $request->{last} + $request->{quiet} > now();
    my $statistics = getsockopt($request->{socket}, SOL_PACKET, PACKET_STATISTICS);
    return close_request($request, "failed other statistics: $!") unless defined $statistics;
    my (undef, $dropped) = unpack 'L L', $statistics;
    my $counters = eval { counters($request->{interface}) };
    return close_request($request, "failed $@") unless defined $counters;
    my ($ring, $queues, $interface) = map { $counters->[$_] - $request->{counters}[$_] } 0 .. 2;
    # A processor's queue counts the losses of all interfaces, an interface also frames of types that nobody reads.
    my $queued = $queues < $interface ? $queues : $interface;
    return close_request($request, 'done ' . ($dropped + $ring + $queued));
}

sub close_request {
    my ($request, $end) = @_;
    print "$request->{number} $end\n";
    delete $requests{ $request->{number} };
    close $request->{socket};
    return;
}

# Frames lost since they exist: by the interface's ring, by the queues of the processors, and all that the interface dropped.
sub counters {
    my ($interface) = @_;
    my $ring = attribute($interface, 'statistics/rx_missed_errors') + attribute($interface, 'statistics/rx_fifo_errors');
    my $queues = 0;
    open my $file, '<', '/proc/net/softnet_stat' or refuse('other', "/proc/net/softnet_stat: $!");
    while (my $line = <$file>) { $queues += hex((split ' ', $line)[1]) }
    close $file;
    return [$ring, $queues, attribute($interface, 'statistics/rx_dropped')];
}

# First line of a file under /sys/class/net/<interface>.
sub attribute {
    my ($interface, $name) = @_;
    open my $file, '<', "/sys/class/net/$interface/$name" or refuse('interface', 'does not exist');
    my $value = <$file>;
    close $file;
    defined $value or refuse('interface', 'does not exist');    # it disappears just now
    chomp $value;
    return $value;
}

sub down {
    return $!{ENETDOWN} || $!{ENODEV} || $!{ENXIO} ? 'interface' : 'other';
}

# Ends the request; the newline keeps Perl from adding where.
sub refuse {
    my ($reason, $text) = @_;
    $text =~ s/\s+/ /g;
    die "$reason $text\n";
}
