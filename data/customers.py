#!/usr/bin/python3
"""Prints a table of customers, made up: numbers, texts, dates and gaps, and who has left, which few have.

Usage: data/customers.py ROWS [--seed N] [--new]    --new: without the answer
Always the same rows for the same seed. Who leaves depends on the contract, the time since the sign-up, the number of
complaints, the age, and on how they go together; a tenth of it is chance.
"""
import argparse
import csv
import datetime
import math
import random
import sys

PLANS = {"basic": 0.7, "plus": 0.0, "pro, yearly": -1.0}
REGIONS = {"north": 0.0, "south": 0.3, "east": -0.2, "west": 0.1, "Zürich": 0.5, "overseas": 0.9}
COLUMNS = ["customer", "signup", "plan", "region", "age", "fee", "complaints", "usage", "remark", "left"]
REMARKS = ["", "called twice", 'said "too dear", will think about it', "moved;\nnew address", "paid late"]


def customer(number, rng):
    """A row; which fields are gaps does not depend on the answer."""
    plan, region = rng.choice(list(PLANS)), rng.choice(list(REGIONS))
    days = rng.randrange(1500)
    age, complaints, usage = rng.gauss(45, 14), min(int(rng.expovariate(1.2)), 9), rng.lognormvariate(3, 0.8)
    fee = {"basic": 9.9, "plus": 19.9, "pro, yearly": 49.5}[plan] + rng.choice([0, 0, 5])
    risk = -2.4 + PLANS[plan] + REGIONS[region] + 1.1 * complaints * (1 if plan == "basic" else 0.4)
    risk += 1.5 * math.exp(-days / 250) - 0.03 * (age - 45) - 0.5 * math.log(usage / 20)
    left = rng.random() < 1 / (1 + math.exp(-2 * risk))
    date = datetime.date(2025, 6, 30) - datetime.timedelta(days=days)
    row = {"customer": f"c-{number:06}", "signup": date.isoformat(), "plan": plan, "region": region, "age": f"{age:.0f}",
           "fee": f"{fee:.2f}", "complaints": complaints, "usage": f"{usage:.2f}", "remark": rng.choice(REMARKS),
           "left": "yes" if left else "no"}
    for name, share in (("age", 0.12), ("usage", 0.05), ("region", 0.03), ("signup", 0.02)):
        if rng.random() < share:
            row[name] = ""
    return row


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--new", action="store_true")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    writer = csv.DictWriter(sys.stdout, COLUMNS[:-1] if options.new else COLUMNS, extrasaction="ignore",
                            lineterminator="\n")
    writer.writeheader()
    for number in range(options.rows):
        writer.writerow(customer(number, rng))


if __name__ == "__main__":
    main()
