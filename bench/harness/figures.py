"""Medians, and how far a ratio can be trusted."""
import random
import statistics

RESAMPLES = 4000


def median(values):
    return statistics.median(values)


def interval(values):
    """The 95 % interval of the median, by bootstrap; the same for the same values."""
    if len(values) < 2:
        return None
    generator = random.Random(len(values))
    medians = sorted(statistics.median(generator.choices(values, k=len(values)))
                     for _ in range(RESAMPLES))
    return [medians[int(RESAMPLES * 0.025)], medians[int(RESAMPLES * 0.975)]]


def of_way(runs):
    """`runs`: what each run of one way took."""
    walls = [run["wall"] for run in runs]
    out = {"runs": len(runs), "wall": median(walls), "wall_min": min(walls), "wall_max": max(walls)}
    for key in ("cpu", "server_cpu"):
        out[key] = median([run[key] for run in runs])
    out["peak_bytes"] = max(run["peak_bytes"] for run in runs)
    return out


def ratio(rounds, way, base, metric):
    """way / base within each round that has both: median, 95 % interval, number of rounds."""
    ratios = [r[way][metric] / r[base][metric] for r in rounds
              if way in r and base in r and r[base][metric] > 0]
    if not ratios:
        return None
    return {"way": way, "base": base, "metric": metric, "rounds": len(ratios),
            "median": median(ratios), "interval": interval(ratios)}
