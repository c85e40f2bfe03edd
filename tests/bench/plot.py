"""SVG pictures with nothing but text: bars of the rows of a group, curves on logarithmic axes."""
import math
from html import escape

COLOURS = ("#1f5fa8", "#d1662b", "#3a8f4d", "#8a4fa3", "#a8433f", "#6b7280", "#b38f1e", "#1f9a9a")
STYLE = ("<style>text{font:12px sans-serif;fill:#222}.t{font-weight:bold}.d{fill:#777}"
         ".g{stroke:#ddd}.w{stroke:#222;stroke-width:1.2}</style>")


def picture(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}">\n{STYLE}\n<rect width="100%" height="100%" fill="#fff"/>\n'
            + "\n".join(parts) + "\n</svg>\n")


def text(x, y, words, kind="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def short(value):
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def bars(rows):
    """A panel a row: medians as bars, the whisker from the least to the greatest."""
    left, wide, step, parts, y = 190, 420, 22, [], 10
    for row in rows:
        sides = [side for side in [row["ours"], *row["peers"]] if "median" in side]
        y += 20
        parts.append(text(10, y, f"{row['label']}, {row['unit']}", "t"))
        top = max((side["max"] for side in sides), default=0) or 1
        for i, side in enumerate(sides):
            y += step
            at = [left + wide * side[key] / top for key in ("min", "median", "max")]
            parts += [text(left - 8, y, side["name"], "", "end"),
                      f'<rect x="{left}" y="{y - 12}" width="{at[1] - left:.1f}" height="15" '
                      f'fill="{COLOURS[0] if i == 0 else "#b9c3cf"}"/>',
                      f'<path class="w" d="M{at[0]:.1f} {y - 4.5}H{at[2]:.1f}"/>',
                      text(at[2] + 6, y, short(side["median"]))]
        y += 10
    return picture(left + wide + 90, y + 10, parts)


def decades(values):
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def curves(curve):
    left, top, wide, tall = 70, 40, 480, 300
    points = [point for line in curve["lines"] for point in line["points"] if point[1] > 0]
    parts = [text(10, 20, f"{curve['label']}, {curve['unit']}", "t")]
    if not points:
        return picture(left + wide + 170, top + tall + 50, [*parts, text(left, top + 30, "nothing measured", "d")])
    xs = sorted({x for x, _ in points})
    (y_low, y_high), x_low, x_high = decades([y for _, y in points]), math.log10(xs[0]), math.log10(xs[-1])

    def place(x, y):
        along = (math.log10(x) - x_low) / (x_high - x_low) if x_high > x_low else 0.5
        up = (math.log10(y) - y_low) / (y_high - y_low)
        return left + wide * along, top + tall * (1 - up)

    for power in range(y_low, y_high + 1):
        _, y = place(xs[0], 10.0**power)
        parts += [f'<path class="g" d="M{left} {y:.1f}h{wide}"/>', text(left - 6, y + 4, f"{10.0 ** power:,g}", "d", "end")]
    for x in xs:
        at, _ = place(x, 10.0**y_low)
        parts += [f'<path class="g" d="M{at:.1f} {top}v{tall}"/>', text(at, top + tall + 16, f"{x:,}", "d", "middle")]
    parts.append(text(left + wide / 2, top + tall + 36, curve["x"], "", "middle"))
    for i, line in enumerate(curve["lines"]):
        colour = COLOURS[i % len(COLOURS)]
        drawn = [place(x, y) for x, y in line["points"] if y > 0]
        if drawn:
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in drawn)
            parts.append(f'<path fill="none" stroke="{colour}" stroke-width="2" d="M{path}"/>')
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in drawn]
        parts += [f'<rect x="{left + wide + 16}" y="{top + 20 * i}" width="12" height="12" fill="{colour}"/>',
                  text(left + wide + 34, top + 20 * i + 10, line["name"] + ("" if drawn else ": not measured"))]
    return picture(left + wide + 200, top + tall + 50, parts)
