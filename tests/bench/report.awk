# tests/bench/report.awk - the results of bench.sh as a Markdown table and an SVG.
#
# Input: round, server, measure, value, separated by tabs. Ratios are taken to
# chapter 08 in the same round; shown are their median and, in brackets, the least
# and the greatest. Works with any awk.

BEGIN {
    FS = "\t"
    n = split(titles, pairs, "|")
    for (i = 1; i <= n; i++) {
        split(pairs[i], pair, "=")
        title[pair[1]] = pair[2]
    }
    servers = split(order, server, " ")
}

{
    value[$2, $3, $1] = $4
    if ($3 == "serial" && $1 + 0 > rounds) rounds = $1 + 0
}

# The values of list[1..count], sorted in place.
function sort(list, count,    i, j, v) {
    for (i = 2; i <= count; i++) {
        v = list[i]
        for (j = i - 1; j > 0 && list[j] > v; j--) list[j + 1] = list[j]
        list[j + 1] = v
    }
}

# Median over the rounds, of the value or of its ratio to `base`; sets least, greatest.
function median(who, what, base,    r, list, count) {
    count = 0
    for (r = 1; r <= rounds; r++) {
        if (!((who, what, r) in value)) continue
        if (base == "") list[++count] = value[who, what, r] + 0
        else if (value[base, what, r] > 0) list[++count] = value[who, what, r] / value[base, what, r]
    }
    if (count == 0) return 0
    sort(list, count)
    least = list[1]
    greatest = list[count]
    return count % 2 ? list[(count + 1) / 2] : (list[count / 2] + list[count / 2 + 1]) / 2
}

function ratio(who, what,    m) {
    m = median(who, what, "08")
    return sprintf("%.2f (%.2f–%.2f)", m, least, greatest)
}

# The same measure, as a multiple of the bare fork + exit + wait.
function cpu(who,    m) {
    m = median(who, "cpu", "floor")
    return sprintf("%.0f µs, %.1f × floor (%.1f–%.1f)", median(who, "cpu", ""), m, low(who), high(who))
}

function low(who) { median(who, "cpu", "floor"); return least }
function high(who) { median(who, "cpu", "floor"); return greatest }

function once(who, what,    r) {
    for (r = 1; r <= rounds + 1; r++) if ((who, what, r) in value) return value[who, what, r]
    return "–"
}

function bar(x, y, width, colour, text) {
    printf "<rect x=\"%d\" y=\"%d\" width=\"%.0f\" height=\"14\" fill=\"%s\"/>\n", x, y, width, colour > chart
    printf "<text x=\"%.0f\" y=\"%d\">%s</text>\n", x + width + 6, y + 12, text > chart
}

END {
    printf "%s, %s, median of %d rounds (least–greatest). Chapter 08 = 1: ", when, machine, rounds
    printf "%.0f connections/s serial, %.0f with 16 at a time, %.0f round trips/s, %.0f with 8, %.0f MB/s.\n", \
        median("08", "serial", ""), median("08", "parallel", ""), median("08", "trips1", ""), \
        median("08", "trips8", ""), median("08", "bytes", "") / 1e6
    printf "Floor: fork + exit + wait of an empty program costs %.0f µs of CPU.\n\n", median("floor", "cpu", "")
    print "| server | connections/s, serial | 16 at a time | CPU a connection | round trips/s, 1 | 8 connections | bytes/s | kB an idle connection, 500 / 1000 |"
    print "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for (i = 1; i <= servers; i++) {
        s = server[i]
        printf "| %s | %s | %s | %s | %s | %s | %s | %s / %s |\n", title[s], ratio(s, "serial"), \
            ratio(s, "parallel"), cpu(s), ratio(s, "trips1"), ratio(s, "trips8"), ratio(s, "bytes"), \
            once(s, "pss500"), once(s, "pss1000")
    }
    print "\n| server | while descriptors are exhausted | SIGTERM with a client there |\n| --- | --- | --- |"
    for (i = 1; i <= servers; i++)
        printf "| %s | %s | %s |\n", title[server[i]], once(server[i], "exhaustion"), once(server[i], "sigterm")

    height = 70 + servers * 42
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 %d\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\" aria-labelledby=\"title desc\">\n", height > chart
    print "<title id=\"title\">Connections a second, chapter 08 = 1</title>" > chart
    printf "<desc id=\"desc\">Bars:" > chart
    for (i = 1; i <= servers; i++)
        printf " %s %.2f serial, %.2f with 16 at a time;", title[server[i]], \
            median(server[i], "serial", "08"), median(server[i], "parallel", "08") > chart
    printf " %s, %s.</desc>\n<rect width=\"720\" height=\"%d\" fill=\"#ffffff\"/>\n", when, machine, height > chart
    printf "<text x=\"10\" y=\"22\" font-size=\"16\">Connections a second, chapter 08 = 1</text>\n" > chart
    printf "<text x=\"10\" y=\"42\">upper bar: one at a time; lower bar: 16 at a time; %s, %s</text>\n", when, machine > chart
    for (i = 1; i <= servers; i++) {
        m = median(server[i], "serial", "08")
        if (m > top) top = m
        m = median(server[i], "parallel", "08")
        if (m > top) top = m
    }
    for (i = 1; i <= servers; i++) {
        s = server[i]
        y = 56 + (i - 1) * 42
        printf "<text x=\"10\" y=\"%d\">%s</text>\n", y + 20, title[s] > chart
        m = median(s, "serial", "08")
        bar(215, y, m / top * 440, "#0072b2", sprintf("%.2f", m))
        m = median(s, "parallel", "08")
        bar(215, y + 16, m / top * 440, "#e69f00", sprintf("%.2f", m))
    }
    print "</svg>" > chart
}
