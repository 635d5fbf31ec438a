"""The cohort again, as a clerk would make it: family by family, row by row, in plain Python.

Written from the rules and not from the code it checks. Slow on purpose.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import pandas as pd

from tfeval.programme.outcomes import OUT_OF_WORK_BENEFITS, PROVEN_OUTCOMES
from tfeval.programme.phases import phase as phase_of


@cache
def after(day: date, months: int) -> date:
    """Return the same day so many months later, or the month's last day if it is shorter."""
    return (pd.Timestamp(day) + pd.DateOffset(months=months)).date()


def present(value) -> bool:
    return value is not None and not pd.isna(value)


class Slow:
    """Tables as lists of dictionaries, and a few look-ups."""

    def __init__(
        self, tables: dict[str, pd.DataFrame], ends_on: date, treatment: str = "supported"
    ) -> None:
        self.rows = {name: frame.to_dict("records") for name, frame in tables.items()}
        self.ends_on = ends_on
        self.found: dict[tuple[str, str], dict[str, list[dict]]] = {}
        self.first: dict[str, date] = {}
        self.treatment = treatment
        for family in self.rows["families"]:
            day = self.treated_on(family)
            if present(day):
                known = self.first.get(family["family_id"])
                self.first[family["family_id"]] = min(day, known) if known else day

    def of(self, table: str, name: str, value: str) -> list[dict]:
        """Return the rows of a table that have a value in a column."""
        if (table, name) not in self.found:
            found = self.found[table, name] = {}
            for row in self.rows[table]:
                found.setdefault(row[name], []).append(row)
        return self.found[table, name].get(value, [])

    def treated_on(self, row: dict):
        """Return when a family was treated in a phase, if ever."""
        worked_with = present(row["lead_practitioner_on"])
        return None if self.treatment == "supported" and not worked_with else row["attached_on"]

    def is_treated(self, row: dict) -> bool:
        matched = not present(row["lead_practitioner_on"])
        counts = matched if self.treatment == "data_matched_apart" else True
        return counts and present(self.treated_on(row))

    def home(self, family: str, on: date) -> str:
        own = self.of("families", "family_id", family)
        day = min(row["identified_on"] for row in own)
        places = {row["local_authority"] for row in own if row["identified_on"] == day}
        place = places.pop() if len(places) == 1 else "not known"
        moves = [row for row in self.of("family_moves", "family_id", family)
                 if row["moved_on"] <= on]  # fmt: skip
        if moves:
            last = max(row["moved_on"] for row in moves)
            places = {row["local_authority"] for row in moves if row["moved_on"] == last}
            place = places.pop() if len(places) == 1 else "not known"
        return place

    def assessed(self, phase: str) -> tuple[list[dict], list[dict]]:
        """Return a phase's families, one row each, and those of whom two rows say two things."""
        decide = ("local_authority", "identified_on", "attached_on", "lead_practitioner_on",
                  *phase_of(phase).criteria)  # fmt: skip
        own: dict[str, list[dict]] = {}
        for row in self.rows["families"]:
            if row["phase"] == phase:
                own.setdefault(row["family_id"], []).append(row)
        one_each = [rows[0] for rows in own.values()]
        unclear = [rows[0] for rows in own.values()
                   if len({tuple(str(row[name]) for name in decide) for row in rows}) > 1
                   or not self.known(rows[0], phase)
                   or not date(1900, 1, 1) <= rows[0]["identified_on"] <= self.ends_on]  # fmt: skip
        return one_each, unclear

    def known(self, row: dict, phase: str) -> bool:
        """Tell whether it is said which criteria a family met: what is empty is not known."""
        rules = phase_of(phase)
        said = [row[name] for name in rules.criteria]
        # Local discretion decides only of those that are one criterion short.
        decides = phase == "one" and sum(bool(one) for one in said if present(one)) == (
            rules.criteria_needed - 1)  # fmt: skip
        return all(map(present, said)) and (not decides or present(row["local_discretion"]))

    def covered(self, place: str, table: str, start: date, end: date) -> bool:
        """Tell whether the authority sent the table for every day from start to before end."""
        sent = [row for row in self.of("coverage", "local_authority", place)
                if row["source_table"] == table]  # fmt: skip
        own = sorted((row["covered_from"], row["covered_to"]) for row in sent)
        next_day = start  # the first day of which it is not known yet that it was sent
        for first, last in own:
            if first <= next_day <= last:
                next_day = last + timedelta(days=1)
        return next_day >= end and any(first <= start <= last for first, last in own)

    def linked(self, family: str, table: str, start: date, end: date, person) -> bool:
        """Tell whether all who would be in a source at the time were found there."""
        flag, youngest, too_old = {
            "school_terms": ("linked_school", 5, 16),
            "benefit_spells": ("linked_benefits", 16, 66),
            "employment_spells": ("linked_benefits", 16, 66),
            "hospital_episodes": ("linked_health", 0, 120),
        }.get(table, ("", 0, 0))
        members = [person] if person else self.of("people", "family_id", family)
        return not flag or all(
            (present(one[flag]) and bool(one[flag]))
            or after(one["birth_month"], 12 * youngest) >= end
            or after(one["birth_month"], 12 * too_old + 1) <= start
            for one in members
        )


def slow_cohort(  # noqa: PLR0917
    slow: Slow, phase: str, horizons: tuple[int, ...], comparison: str, seed: int, level="family"
):
    """Return the rows of the cohort, one dictionary a unit."""
    rules = phase_of(phase)
    assessed, unclear = slow.assessed(phase)
    first_day = min(row["covered_from"] for row in slow.rows["coverage"])
    units = []
    waits = []
    for row in assessed:
        day = slow.treated_on(row)
        if row not in unclear and slow.is_treated(row) and day == slow.first[row["family_id"]]:
            units.append((row, "treated", day))
            wait = (day - row["identified_on"]).days
            if wait >= 0:
                waits.append((row["identified_on"], wait))
    blocks = blocks_of(waits)
    for rank, row in enumerate(sorted(assessed, key=lambda row: row["family_id"]), start=1):
        clear = [one for one in assessed if one not in unclear]
        if row in clear and in_group(slow, row, rules, comparison, clear):
            day = index_day(row, rank, blocks, seed)
            first = slow.first.get(row["family_id"])
            if first is None or first > day:
                units.append((row, "comparison", day))
    found = []
    for row, arm, day in units:
        if rules.start <= day <= rules.end and after(day, -12) >= first_day:
            members = [None] if level == "family" else born(slow, row["family_id"], day)
            for person in members:
                found.append(unit_row(slow, row, arm, day, horizons, person, rules))
    return sorted(found, key=lambda unit: unit["unit"])


def born(slow: Slow, family: str, day: date) -> list[dict]:
    """Return the family's people born by the day."""
    people = slow.of("people", "family_id", family)
    return [person for person in people if person["birth_month"] <= day]


def age(person: dict, day: date) -> int:
    """Return whole years from the month of birth."""
    month = person["birth_month"]
    return ((day.year - month.year) * 12 + day.month - month.month) // 12


def eligible(row: dict, rules) -> bool:
    met = sum(bool(row[name]) for name in rules.criteria if present(row[name]))
    local = rules.name == "one" and present(row["local_discretion"]) and row["local_discretion"]
    return met >= rules.criteria_needed or (met == rules.criteria_needed - 1 and bool(local))


def in_group(slow: Slow, row: dict, rules, comparison: str, assessed: list[dict]) -> bool:
    first = slow.first.get(row["family_id"])
    if comparison == "waiting":
        return eligible(row, rules) and present(slow.treated_on(row))
    if comparison == "not_yet_treated":
        return eligible(row, rules)
    if comparison == "below_threshold":
        met = sum(bool(row[name]) for name in rules.criteria if present(row[name]))
        return not eligible(row, rules) and met == rules.criteria_needed - 1 and first is None
    shares: dict[str, list[bool]] = {}
    for other in assessed:
        if eligible(other, rules):
            attached = present(slow.treated_on(other))
            shares.setdefault(other["local_authority"], []).append(attached)
    order = sorted((sum(seen) / len(seen), place) for place, seen in shares.items())
    low = {place for _, place in order[: max(1, round(len(order) * 0.25))]}
    return eligible(row, rules) and first is None and row["local_authority"] in low


def blocks_of(waits: list[tuple[date, int]]) -> list[tuple[date, list[int]]]:
    """Cut the treated by the day they were identified: never within a day, 50 at least, 12 at most.

    A last block that is too small joins the one before it.
    """
    least = max(50, len(waits) // 12)
    blocks: list[tuple[date, list[int]]] = []
    for known in sorted({known for known, _ in waits}):
        own = [wait for day, wait in waits if day == known]
        if not blocks or len(blocks[-1][1]) >= least:
            blocks.append((known, own))
        else:
            blocks[-1][1].extend(own)
    if len(blocks) > 1 and len(blocks[-1][1]) < least:
        _, last = blocks.pop()
        blocks[-1][1].extend(last)
    return [(first, sorted(own)) for first, own in blocks]


def index_day(row: dict, rank: int, blocks: list[tuple[date, list[int]]], seed: int) -> date:
    """Return the day a wait of the treated after identification, whatever became of the family.

    One of those identified about the same time: the last block that had begun, else the first.
    """
    modulus, multiplier = 2_147_483_647, 48_271
    scattered = (rank * multiplier + (seed % 1_000_003) * 40_692) % modulus
    scattered = (scattered * multiplier) % modulus
    begun = [own for first, own in blocks if first <= row["identified_on"]]
    waits = begun[-1] if begun else blocks[0][1]
    return row["identified_on"] + timedelta(days=waits[scattered * len(waits) // modulus])


def calendar(slow: Slow) -> list[tuple[date, date, int]]:
    """Return each term as most pupils have it (ties: the earlier), two sessions a weekday.

    Autumn, spring or summer of a school year, by the term's middle, leaning to the later.
    """
    if not hasattr(slow, "calendar"):
        pupils: dict[tuple[date, date], int] = {}
        for row in slow.rows["school_terms"]:
            own = (row["term_start"], row["term_end"])
            pupils[own] = pupils.get(own, 0) + 1
        terms: dict[tuple[int, str], list] = {}
        for (start, end), many in pupils.items():
            middle = start + (end - start) // 2 + timedelta(days=12)
            name = "spring" if middle.month < 5 else "summer" if middle.month < 9 else "autumn"
            days = (start + timedelta(days=more) for more in range((end - start).days + 1))
            sessions = 2 * sum(day.weekday() < 5 for day in days)
            terms.setdefault((middle.year, name), []).append((-many, start, end, sessions))
        slow.calendar = [min(found)[1:] for found in terms.values()]
    return slow.calendar


def unit_row(  # noqa: PLR0917
    slow: Slow, row: dict, arm: str, day: date, horizons: tuple[int, ...], person, rules
) -> dict:
    family = row["family_id"]
    place = slow.home(family, day)
    first = slow.first.get(family)
    found = {
        "unit": f"{family}:{arm}",
        "family_id": family,
        "treated": int(arm == "treated"),
        "local_authority": place,
        "index_on": day,
        "identified_on": row["identified_on"],
    }
    for name in rules.criteria:
        found[f"met_{name}"] = int(present(row[name]) and bool(row[name]))
    found["days_identified"] = (day - row["identified_on"]).days
    found["days_into_phase"] = (day - rules.start).days
    found["in_autumn"] = int(day.month in {9, 10, 11, 12})
    found["in_summer"] = int(day.month in {5, 6, 7, 8})
    ages = [age(one, day) for one in born(slow, family, day)]
    found["people"] = len(ages)
    found["children"] = sum(years < 18 for years in ages)
    found["young_children"] = sum(years < 5 for years in ages)
    if person is not None:
        found["unit"] += f":{person['person_id']}"
        found |= {name: person[name] for name in ("person_id", "role", "sex")}
        found["age"] = age(person, day)
    known = row["identified_on"]
    for months in horizons:
        found[f"sessions_due_{months}"] = sum(
            sessions for start, end, sessions in calendar(slow)
            if day <= start and end < after(day, months)
        )  # fmt: skip
    spans = {"before": (after(day, -12), day), "before_identification": (after(known, -12), known)}
    spans |= {str(months): (day, after(day, months)) for months in horizons}
    for name, (start, end) in spans.items():
        past = name.startswith("before")
        followed = past or end <= slow.ends_on + timedelta(days=1)
        if not past and arm == "comparison" and first is not None:
            followed = followed and end <= first
        for measure, (table, value) in counts(slow, family, start, end, person).items():
            seen = followed and slow.covered(place, table, start, end)
            seen = seen and slow.linked(family, table, start, end, person)
            found[f"{measure}_{name}"] = value if seen else None
        possible = found[f"sessions_possible_{name}"]
        for rate, parts in (
            ("absence", ("sessions_authorised", "sessions_unauthorised")),
            ("unauthorised_absence", ("sessions_unauthorised",)),
        ):
            missed = [found[f"{part}_{name}"] for part in parts]
            found[f"{rate}_{name}"] = sum(missed) / possible if possible else None
    return found


def counts(
    slow: Slow, family: str, start: date, end: date, person: dict | None = None
) -> dict[str, tuple[str, int]]:
    members = [person] if person else slow.of("people", "family_id", family)
    people = {one["person_id"] for one in members}

    def inside(day) -> bool:
        return present(day) and start <= day < end

    def of_people(table: str) -> list[dict]:
        return [row for one in people for row in slow.of(table, "person_id", one)]

    def of_family(table: str) -> int:
        rows = of_people(table) if person else slow.of(table, "family_id", family)
        return sum(inside(row["incident_on"]) for row in rows)

    def days(rows: list[dict]) -> int:
        seen = set()  # a person's day counts once, in however many spells it lies
        for row in rows:
            stop = row["ended_on"] if present(row["ended_on"]) else date(9999, 1, 1)
            first, last = max(row["started_on"], start), min(stop, end)
            seen |= {(row["person_id"], day) for day in range(first.toordinal(), last.toordinal())}
        return len(seen)

    terms = [
        row
        for row in of_people("school_terms")
        if row["term_start"] >= start and row["term_end"] < end
    ]
    care = of_people("social_care_episodes")
    benefits = [r for r in of_people("benefit_spells") if r["benefit"] in OUT_OF_WORK_BENEFITS]
    hospital = of_people("hospital_episodes")
    offences = of_people("offences")
    proven = [row for row in offences if row["outcome"] in PROVEN_OUTCOMES]
    found = {
        name: ("school_terms", sum(int(row[name]) for row in terms))
        for name in (
            "sessions_possible",
            "sessions_authorised",
            "sessions_unauthorised",
            "fixed_exclusions",
            "permanent_exclusions",
        )
    }
    found["offences"] = ("offences", sum(inside(row["offence_on"]) for row in proven))
    custody = [row for row in offences if row["custody_days"] > 0]
    found["custody"] = ("offences", sum(inside(row["outcome_on"]) for row in custody))
    found["asb_incidents"] = ("asb_incidents", of_family("asb_incidents"))
    found["out_of_work"] = ("benefit_spells", days(benefits))
    found["employment"] = ("employment_spells", days(of_people("employment_spells")))
    for kind in ("in_need", "protection_plan", "looked_after"):
        spells = [row for row in care if row["kind"] == kind]
        found[kind] = ("social_care_episodes", days(spells))
    for name, kind in (
        ("emergency_admissions", "emergency_admission"),
        ("ae_attendances", "ae_attendance"),
    ):
        rows = [row for row in hospital if row["kind"] == kind]
        found[name] = ("hospital_episodes", sum(inside(row["arrived_on"]) for row in rows))
    table = "domestic_abuse_incidents"
    found["domestic_abuse"] = (table, of_family(table))
    return found
