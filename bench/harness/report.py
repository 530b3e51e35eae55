"""The report: build/bench.json, a table for people, lines for machines."""
import hashlib
import json
import os
import platform
import subprocess

import figures

FORMAT = 1


def sha256(paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as f:
            digest.update(f.read())
    return digest.hexdigest()


def output_of(*command):
    try:
        return subprocess.run(command, text=True, capture_output=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def machine(server):
    return {"cpu": cpu_model(), "cores": os.cpu_count(), "kernel": platform.release(),
            "postgresql": server.version,
            "commit": output_of("git", "describe", "--always", "--dirty")}


def load(path, build):
    """The report that is there, if it is of this build; else a new one."""
    try:
        with open(path, encoding="utf-8") as f:
            old = json.load(f)
        if old["format"] == FORMAT and old["build"] == build:
            return old
    except (OSError, ValueError, KeyError):
        pass
    return {"format": FORMAT, "build": build, "workloads": {}}


def save(path, report):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
    os.replace(path + ".new", path)


def judge(target, rounds):
    """The target's figure, or None when its ways did not run."""
    if target.metric == "growth":
        peaks = [max((r[w]["peak_bytes"] for r in rounds if w in r), default=None)
                 for w in (target.way, target.base)]
        if None in peaks:
            return None
        found = {"median": (peaks[0] - peaks[1]) / (1 << 20), "interval": None}
    elif target.base is None:
        values = [r[target.way][target.metric] for r in rounds if target.way in r]
        if not values:
            return None
        pick = max(values) if target.metric == "peak_bytes" else figures.median(values)
        found = {"median": pick / target.unit, "interval": None}
    else:
        found = figures.ratio(rounds, target.way, target.base, target.metric)
        if found is None:
            return None
    return {"text": target.text, "found": found["median"], "interval": found["interval"],
            "limit": target.limit, "goal": target.goal, "held": found["median"] <= target.limit}


def summarise(workload, rounds):
    """Of the rounds: figures of each way, ratios of the first one to each, the targets."""
    out = {"ways": {}, "ratios": [], "targets": []}
    labels = {way.name: way.label for way in workload.ways}
    for name, label in labels.items():
        runs = [r[name] for r in rounds if name in r]
        if runs:
            out["ways"][name] = {"label": label, **figures.of_way(runs)}
    ours = workload.ways[0].name
    for name in out["ways"]:
        if name != ours:
            for metric in ("wall", "cpu"):
                found = figures.ratio(rounds, ours, name, metric)
                if found is not None:
                    out["ratios"].append(found)
    out["targets"] = [t for t in (judge(target, rounds) for target in workload.targets) if t]
    return out


def shown_interval(interval):
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]" if interval else ""


def table(name, entry):
    summary = entry["summary"]
    lines = [f"{name}: {entry['says']}; {entry['rows']:,} rows, {len(entry['rounds'])} rounds",
             f"  {'':<40}{'runs':>5}{'wall s':>9}{'min':>8}{'max':>8}{'ours/it':>9}  {'95 %':<16}"
             f"{'cpu s':>8}{'ours/it':>8}{'server':>8}{'MiB':>7}"]
    ratio = {(r["base"], r["metric"]): r for r in summary["ratios"]}
    for way, f in summary["ways"].items():
        wall, cpu = ratio.get((way, "wall")), ratio.get((way, "cpu"))
        lines.append(
            f"  {f['label']:<40}{f['runs']:>5}{f['wall']:>9.3f}{f['wall_min']:>8.3f}{f['wall_max']:>8.3f}"
            f"{wall['median'] if wall else 1:>9.3f}  {shown_interval(wall['interval'] if wall else None):<16}"
            f"{f['cpu']:>8.3f}{cpu['median'] if cpu else 1:>8.2f}{f['server_cpu']:>8.2f}"
            f"{f['peak_bytes'] / (1 << 20):>7.1f}")
    for t in summary["targets"]:
        goal = f", goal {t['goal']:g}" if t["goal"] is not None else ""
        verdict = "held" if t["held"] else "MISSED"
        lines.append(f"  {verdict:<7}{t['text']}: {t['found']:.3f} {shown_interval(t['interval'])}"
                     f" (at most {t['limit']:g}{goal})")
    return "\n".join(lines)


def cell(text):
    return text.replace("|", "\\|")


def markdown(report):
    """The report as docs/performance.md has it."""
    m = report["machine"]
    lines = [f"Commit {m['commit']}; {m['cpu']}, {m['cores']} cores, Linux {m['kernel']}, PostgreSQL {m['postgresql']}.", "",
             "| workload | figure | median | 95 % | at most | |", "|---|---|---|---|---|---|"]
    for name, entry in report["workloads"].items():
        for t in entry["summary"]["targets"]:
            between = " – ".join(f"{v:.3f}" for v in t["interval"]) if t["interval"] else ""
            goal = f"; goal {t['goal']:g}" if t["goal"] is not None else ""
            lines.append(f"| {name} | {cell(t['text'])} | {t['found']:.3f} | {between} | {t['limit']:g}{goal} | "
                         f"{'held' if t['held'] else '**missed**'} |")
    for name, entry in report["workloads"].items():
        lines += ["", f"**{name}**: {entry['says']}; {entry['rows']:,} rows, {len(entry['rounds'])} rounds", "",
                  "| | runs | wall s | min – max | first / this | 95 % | client CPU s | first / this | server CPU s | peak MiB |",
                  "|---|---|---|---|---|---|---|---|---|---|"]
        ratio = {(r["base"], r["metric"]): r for r in entry["summary"]["ratios"]}
        for way, f in entry["summary"]["ways"].items():
            wall, cpu = ratio.get((way, "wall")), ratio.get((way, "cpu"))
            between = " – ".join(f"{v:.3f}" for v in wall["interval"]) if wall and wall["interval"] else ""
            lines.append(
                f"| {cell(f['label'])} | {f['runs']} | {f['wall']:.3f} | {f['wall_min']:.3f} – {f['wall_max']:.3f} | "
                f"{wall['median'] if wall else 1:.3f} | {between} | {f['cpu']:.3f} | {cpu['median'] if cpu else 1:.2f} | "
                f"{f['server_cpu']:.2f} | {f['peak_bytes'] / (1 << 20):.1f} |")
    return "\n".join(lines)


def machine_lines(name, entry):
    for way, f in entry["summary"]["ways"].items():
        yield "@@BENCH_JSON@@" + json.dumps({"workload": name, "way": way, "rows": entry["rows"], **f})
    for t in entry["summary"]["targets"]:
        yield "@@BENCH_JSON@@" + json.dumps({"workload": name, "target": t["text"], **t})
