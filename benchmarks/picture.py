"""Small line charts side by side as one SVG, both axes logarithmic; readable on a light and on a dark page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

#: Of one panel, in pixels, with the room around its frame.
WIDTH, HEIGHT = 300, 210
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 34, 40
#: A line that falls by more pixels than this to its last point would cross a name above that.
STEEP = 4
#: Told apart without colour as well: by the mark at each point and the name at the line's end.
COLOURS = ("#d1495b", "#1b7f79", "#3d5a99")
STYLE = """text { font: 12px system-ui, sans-serif; fill: #444 } .title { font-weight: 600 } .name { font-weight: 600 }
.grid { stroke: #8884; stroke-width: 1 } .line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #ccc } }"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: a title, and for each name its (across, up) points, all above 0."""

    title: str
    lines: Mapping[str, Points]


@dataclass(frozen=True, slots=True)
class Axis:
    """Decades from `low` to `high` (powers of ten) over the pixels from `begin` to `end`."""

    low: int
    high: int
    begin: float
    end: float

    def place(self, value: float) -> float:
        """Return where a value lies."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def iter_ticks(self) -> Sequence[int]:
        """Return the powers of ten to mark."""
        return range(self.low, self.high + 1)


def make_axis(values: Sequence[float], begin: float, end: float) -> Axis:
    """Return an axis of whole decades around `values`."""
    low = math.floor(math.log10(min(values)) + 1e-9)
    high = max(low + 1, math.ceil(math.log10(max(values)) - 1e-9))
    return Axis(low, high, begin, end)


def write_number(power: int) -> str:
    """Return 10 to that power in few characters."""
    if power >= 6:
        return f"{10 ** (power - 6)}M"
    if power >= 3:
        return f"{10 ** (power - 3)}k"
    return f"{10.0**power:g}"


def draw(panels: Sequence[Panel], *, across: str) -> str:
    """Return an SVG of all panels that have points, two in a row; `across` names what lies on the horizontal axes."""
    shown = [panel for panel in panels if any(panel.lines.values())]
    parts = []
    for number, panel in enumerate(shown):
        x, y = number % 2 * WIDTH, number // 2 * HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{draw_panel(panel, across)}</g>')
    width, height = WIDTH * min(2, len(shown)), HEIGHT * math.ceil(len(shown) / 2)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">'
    )
    title = f"<title>{escape(', '.join(panel.title for panel in shown))}, by {escape(across)}</title>"
    return f"{head}{title}\n<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"


def draw_panel(panel: Panel, across: str) -> str:
    """Return the elements of one panel."""
    points = [point for line in panel.lines.values() for point in line]
    x_axis = make_axis([x for x, _ in points], LEFT, WIDTH - RIGHT)
    y_axis = make_axis([y for _, y in points], HEIGHT - BOTTOM, TOP)
    parts = [f'<text class="title" x="{LEFT}" y="18">{escape(panel.title)}</text>']
    for power in y_axis.iter_ticks():
        y = y_axis.place(10.0**power)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{write_number(power)}</text>')
    for power in x_axis.iter_ticks():
        x = x_axis.place(10.0**power)
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{write_number(power)}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(across)}</text>')
    for number, (name, line) in enumerate(panel.lines.items()):
        if line:
            places = [(x_axis.place(x), y_axis.place(y)) for x, y in line]
            parts.append(draw_line(name, places, number))
    return "".join(parts)


def draw_line(name: str, places: Sequence[tuple[float, float]], number: int) -> str:
    """Return a line with a mark at each point, a circle or a square in turn, and its name at the last one: above, or
    below where the line comes from above."""
    colour = COLOURS[number % len(COLOURS)]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    marks = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>'
        if number % 2
        else f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="{colour}"/>'
        for x, y in places
    ]
    x, y = places[-1]
    anchor = "end" if x > WIDTH / 2 else "start"
    falls = anchor == "end" and len(places) > 1 and y > places[-2][1] + STEEP
    beside = y + 18 if falls else y - 8
    label = f'<text class="name" x="{x:.1f}" y="{beside:.1f}" text-anchor="{anchor}" style="fill:{colour}">'
    return f'<path class="line" stroke="{colour}" d="M{path}"/>{"".join(marks)}{label}{escape(name)}</text>'
