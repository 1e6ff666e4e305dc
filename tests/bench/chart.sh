#!/usr/bin/env bash
# Draws throughput over the width of slices and over the number of workers from the JSON that the scenarios `widths` and
# `workers` have written: chart.sh DIRECTORY. Writes DIRECTORY/throughput.svg; both scales are logarithmic, points are
# medians, lines through them go from the lowest to the highest run.
set -euo pipefail
directory=$1
for scenario in widths workers; do
    [ -s "$directory/$scenario.json" ] || {
        echo "chart: $directory/$scenario.json is missing: make bench ONLY=widths,workers"
        exit 1
    }
done

awk '
function number(key,    at) {
    at = index($0, "\"" key "\": ")
    return at ? substr($0, at + length(key) + 4) + 0 : -1
}
function log10(x) { return log(x) / log(10) }
function short(x) { return x >= 1e6 ? sprintf("%.3gM", x / 1e6) : x >= 1000 ? sprintf("%.3gk", x / 1000) : sprintf("%d", x) }
function x_of(p, v) { return LEFT[p] + WIDE * (log10(v) - low_x[p]) / (high_x[p] - low_x[p]) }
function y_of(v) { return TOP + TALL - TALL * (log10(v) - low_y) / (high_y - low_y) }
function floor(x) { return x >= 0 || x == int(x) ? int(x) : int(x) - 1 }
function ceiling(x) { return -floor(-x) }
function text(x, y, class, what) { printf "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, class, what }

FNR == 1 { panel++; before = -1 }
/"conditions"/ { day = $0; sub(/.*"at": "/, "", day); sub(/T.*/, "", day); cores = number("cores"); load = number("load") }
/"at": [0-9]/ && /"median"/ {
    x = number("at")
    if (x <= before || before < 0) { # a curve begins
        curves++; panel_of[curves] = panel; in_panel[panel]++; name_of[curves] = $0
        sub(/.*"name": "/, "", name_of[curves]); sub(/,.*/, "", name_of[curves])
    }
    before = x
    n = ++count[curves]
    at[curves, n] = x; median[curves, n] = number("median")
    lowest[curves, n] = number("lowest"); highest[curves, n] = number("highest")
    if (!(panel in from) || x < from[panel]) from[panel] = x
    if (x > to[panel]) to[panel] = x
    if (!bottom || lowest[curves, n] < bottom) bottom = lowest[curves, n]
    if (highest[curves, n] > top) top = highest[curves, n]
}
function axes(p,    d, y) {
    text(LEFT[p], 22, "title", title[p]); text(LEFT[p], 40, "", "tasks claimed and reported, a second")
    for (d = low_y; d <= high_y; d++) {
        y = y_of(10 ^ d)
        printf "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", LEFT[p], LEFT[p] + WIDE, y, y
        text(LEFT[p] - 8, y + 4, "end", short(10 ^ d))
    }
    text(LEFT[p] + WIDE / 2, TOP + TALL + 38, "middle", x_label[p])
}
function draw(c,    p, n, x, y, points, below) {
    p = panel_of[c]; nth[p]++
    print "<g class=\"curve" nth[p] "\">"
    for (n = 1; n <= count[c]; n++) points = points sprintf("%.1f,%.1f ", x_of(p, at[c, n]), y_of(median[c, n]))
    print "<polyline points=\"" points "\"/>"
    for (n = 1; n <= count[c]; n++) {
        x = x_of(p, at[c, n]); y = y_of(median[c, n])
        printf "<line class=\"run\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", x, x, y_of(lowest[c, n]), y_of(highest[c, n])
        printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>\n", x, y
        text(x, y - 11, "value", short(median[c, n]))
        if (nth[p] == 1) text(x, TOP + TALL + 18, "middle", at[c, n])
    }
    print "</g>"
    n = int(count[c] / 2) + 1
    if (in_panel[p] > 1) text(x_of(p, at[c, n]), y_of(median[c, n]) + 30, "label", name_of[c])
}
END {
    if (in_panel[1] < 1 || in_panel[2] < 1 || bottom <= 0) { print "chart: no points" > "/dev/stderr"; exit 1 }
    WIDE = 320; TALL = 230; TOP = 62; LEFT[1] = 58; LEFT[2] = 462
    low_y = floor(log10(bottom)); high_y = ceiling(log10(top))
    title[1] = "16 workers, over the width of slices"; title[2] = "over the number of workers"
    x_label[1] = "tasks in a slice"; x_label[2] = "workers"
    for (p = 1; p <= 2; p++) { low_x[p] = log10(from[p]); high_x[p] = log10(to[p]) }
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 820 356\" width=\"820\" height=\"356\" role=\"img\" aria-label=\"tasks a second over slice width and over workers\">"
    print "<style>svg{--ink:#1f2328;--faint:#6e7781;--grid:#d8dee4;--one:#0969da;--two:#bc4c00;--page:#fff}"
    print "@media(prefers-color-scheme:dark){svg{--ink:#e6edf3;--faint:#8d96a0;--grid:#30363d;--one:#4493f8;--two:#f0883e;--page:#0d1117}}"
    print "text{font:12px system-ui,sans-serif;fill:var(--faint)}.title{font-size:14px;font-weight:600;fill:var(--ink)}.value,.label{fill:var(--ink)}"
    print ".middle,.value,.label{text-anchor:middle}.end{text-anchor:end}.label{font-weight:600}.grid{stroke:var(--grid)}.run{stroke-width:1.5;opacity:.6}"
    print ".curve1{stroke:var(--one);--fill:var(--one)}.curve2{stroke:var(--two);--fill:var(--two)}polyline{fill:none;stroke-width:2}g text{stroke:none}"
    print "circle{fill:var(--fill);stroke:var(--page);stroke-width:2}</style>"
    print "<rect width=\"820\" height=\"356\" fill=\"var(--page)\"/>"
    axes(1); axes(2)
    for (c = 1; c <= curves; c++) draw(c)
    text(58, 348, "", cores " cores that PostgreSQL, the manager and the load share, load average " load " before; fsync on; " day)
    print "</svg>"
}' "$directory/widths.json" "$directory/workers.json" >"$directory/throughput.svg.new"
mv "$directory/throughput.svg.new" "$directory/throughput.svg"
