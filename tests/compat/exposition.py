"""Compares two Prometheus texts: families, types, help of Flower's own, label sets and values.

Values that are each process' own (`process_*`, `python_*`, `*_created`) are held to their names only.
"""

from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]
#: Values by the name and labels of their series.
Samples = dict[tuple[str, Labels], float]
OWN = ("process_", "python_")


def compare_metrics(flower: str, candidate: str) -> Iterator[tuple[str, str, str]]:
    """Yield (field, Flower's, candidate's) for every difference; a value's field holds its series."""
    ours, theirs = read_families(flower), read_families(candidate)
    for name in ours.keys() - theirs.keys():
        yield f"family/{name}", ours[name][0], "absent"
    for name in theirs.keys() - ours.keys():
        yield f"family/{name}", "absent", theirs[name][0]
    order = [name for name in ours if name.startswith("flower_")]
    other = [name for name in theirs if name in order]
    if order != other:
        yield "family#order", repr(order), repr(other)
    for name in ours.keys() & theirs.keys():
        (kind, text, samples), (other_kind, other_text, other_samples) = ours[name], theirs[name]
        if kind != other_kind:
            yield f"type/{name}", kind, other_kind
        if text != other_text:
            yield f"help/{name}", text, other_text
        if not name.startswith(OWN):
            yield from compare_samples(samples, other_samples)


def read_families(text: str) -> dict[str, tuple[str, str, Samples]]:
    """Return (type, help, values by series) by family name, in the order of the text."""
    families = {}
    for family in text_string_to_metric_families(text):
        samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in family.samples
        }
        families[family.name] = (family.type, family.documentation, samples)
    return families


def compare_samples(ours: Samples, theirs: Samples) -> Iterator[tuple[str, str, str]]:
    """Yield series that only one side has, and values that differ."""
    for series in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(series), theirs.get(series)
        if one is None or other is None:
            yield f"series/{write_series(series)}", repr(one), repr(other)
        elif abs(one - other) > allowed_distance(series[0]):
            yield f"value/{write_series(series)}", repr(one), repr(other)


def allowed_distance(name: str) -> float:
    """Return how far values of a series may lie apart: seconds 1 ms, creation times a minute, counts nothing."""
    if name.endswith("_created"):
        return 60.0
    return 0.001 if "seconds" in name and not name.endswith(("_count", "_bucket")) else 0.0


def write_series(series: tuple[str, Labels]) -> str:
    """Return a series as Prometheus writes it."""
    name, labels = series
    return f"{name}{{{','.join(f'{key}={value}' for key, value in labels)}}}"
