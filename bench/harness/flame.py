"""A flame graph of a run: the host's functions by their symbols, the guests' by their names in wasm."""
import collections
import glob
import os
import re
import subprocess
from xml.sax.saxutils import escape

from server import Refused

SAMPLES_A_SECOND = 1999
# Of a stack that is kept for unwinding; enough for the guests' frames.
STACK_BYTES = 16 * 1024
WIDTH, ROW, LEFT = 1600, 17, 10
GUEST_FUNCTION = re.compile(r"f(\d+)$")


def leb(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def function_names(wasm):
    """Index -> name, of a module's section "name" (WebAssembly, "Name Section")."""
    names, at = {}, 8
    while at < len(wasm):
        kind = wasm[at]
        size, at = leb(wasm, at + 1)
        end = at + size
        if kind == 0:
            length, p = leb(wasm, at)
            if wasm[p:p + length] == b"name":
                p += length
                while p < end:
                    sub = wasm[p]
                    size, p = leb(wasm, p + 1)
                    if sub == 1:
                        n, q = leb(wasm, p)
                        for _ in range(n):
                            index, q = leb(wasm, q)
                            length, q = leb(wasm, q)
                            names[index] = wasm[q:q + length].decode("utf-8", "replace")
                            q += length
                    p += size
        at = end
    return names


class Guests:
    """Compiled modules by path: which wasm is inside decides the names."""
    def __init__(self, connectors):
        self.modules = []
        for path in glob.glob(os.path.join(connectors, "*.wasm")):
            with open(path, "rb") as f:
                self.modules.append((os.path.basename(path)[:-5], f.read()))
        self.names = {}

    def of(self, path):
        if path not in self.names:
            self.names[path] = (os.path.basename(path), {})
            try:
                with open(path, "rb") as f:
                    compiled = f.read()
            except OSError:
                compiled = b""
            for name, wasm in self.modules:
                if wasm in compiled:
                    self.names[path] = (name, function_names(wasm))
        return self.names[path]

    def symbol(self, symbol, path):
        found = GUEST_FUNCTION.match(symbol)
        if not found or not path.endswith(".so"):
            return symbol
        module, names = self.of(path)
        return f"{module}:{names.get(int(found[1]), symbol)}"


def record(command, environment, out):
    """Raises Refused."""
    done = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(SAMPLES_A_SECOND),
                           "--call-graph", f"dwarf,{STACK_BYTES}", "-o", out, "--", *command],
                          env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"perf record: {done.stderr.strip()[-1000:]}")


FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \((.*)\)$")


def stacks(data, guests):
    """Samples by stack (outermost first)."""
    text = subprocess.run(["perf", "script", "-i", data, "-F", "comm,tid,ip,sym,dso", "--no-inline"],
                          capture_output=True, text=True, errors="replace", check=True).stdout
    counts = collections.Counter()
    thread, frames = None, []
    for line in text.splitlines() + [""]:
        if not line.strip():
            if thread:
                counts[(thread, *reversed(frames))] += 1
            thread, frames = None, []
        elif not line[0].isspace() or thread is None:
            thread = line.split()[0]
        else:
            found = FRAME.match(line)
            if found:
                symbol, path = re.sub(r"\+0x[0-9a-f]+$", "", found[1]), found[2]
                if symbol == "[unknown]":
                    symbol = f"[{os.path.basename(path)}]"
                frames.append(guests.symbol(symbol, path))
    return counts


def table(counts, rows=40):
    """Functions by the samples in themselves, and with what they call."""
    total = sum(counts.values())
    own, whole = collections.Counter(), collections.Counter()
    for stack, n in counts.items():
        own[stack[-1]] += n
        for frame in set(stack):
            whole[frame] += n
    lines = [f"{total} samples of CPU, {SAMPLES_A_SECOND} a second: {total / SAMPLES_A_SECOND:.3f} s",
             f"{'self %':>8}{'self s':>9}{'with callees %':>16}  function"]
    for frame, n in own.most_common(rows):
        lines.append(f"{100 * n / total:>8.1f}{n / SAMPLES_A_SECOND:>9.3f}{100 * whole[frame] / total:>16.1f}  {frame}")
    return "\n".join(lines)


def lay_out(counts):
    """Boxes (depth, from, to, name): children under their parent, by name, as flame graphs are."""
    ordered = sorted(counts.items())
    boxes, open_boxes, at = [], [], 0
    for stack, n in ordered + [((), 0)]:
        same = 0
        while same < min(len(stack), len(open_boxes)) and open_boxes[same][1] == stack[same]:
            same += 1
        while len(open_boxes) > same:
            start, name = open_boxes.pop()
            boxes.append((len(open_boxes), start, at, name))
        open_boxes += [(at, name) for name in stack[same:]]
        at += n
    return boxes


PALETTE = ["#e8794b", "#f0a04b", "#e5bb54", "#d9a066", "#e08f62"]
GUEST_PALETTE = ["#5f9ea0", "#6fb0a8", "#7ab88f", "#5c94b8"]


def colour(name):
    palette = GUEST_PALETTE if "_postgres:" in name else PALETTE
    return palette[sum(name.encode()) % len(palette)]


def svg(counts, title):
    total = sum(counts.values())
    boxes = [b for b in lay_out(counts) if (b[2] - b[1]) / total * WIDTH >= 0.5]
    depth = max(b[0] for b in boxes) + 1
    height = (depth + 3) * ROW
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH + 2 * LEFT}" height="{height}" '
           'font-family="monospace" font-size="11">',
           f'<rect width="100%" height="100%" fill="#fff"/><text x="{LEFT}" y="{ROW}">{escape(title)}</text>']
    for level, start, end, name in boxes:
        x, width = LEFT + start / total * WIDTH, (end - start) / total * WIDTH
        y = height - (level + 1) * ROW - ROW / 2
        label = escape(name[:int(width / 6.7)]) if width > 20 else ""
        out.append(f'<g><title>{escape(name)}: {100 * (end - start) / total:.2f} %</title>'
                   f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width - 0.4, 0.3):.1f}" height="{ROW - 1}" '
                   f'fill="{colour(name)}"/><text x="{x + 2:.1f}" y="{y + 12:.1f}">{label}</text></g>')
    return "\n".join(out) + "\n</svg>\n"


def write(folder, name, command, environment, connectors, title):
    """The files NAME.svg, NAME.folded and NAME.txt in `folder`; returns NAME.txt's text."""
    os.makedirs(folder, exist_ok=True)
    at = os.path.join(folder, name)
    record(command, environment, at + ".data")
    counts = stacks(at + ".data", Guests(connectors))
    text = table(counts)
    for suffix, content in ((".svg", svg(counts, title)), (".txt", text + "\n"),
                            (".folded", "".join(f"{';'.join(s)} {n}\n" for s, n in sorted(counts.items())))):
        with open(at + suffix, "w", encoding="utf-8") as f:
            f.write(content)
    return text
