"""Several beats at once, of which some die or freeze."""

import random
import time
from itertools import pairwise

from benchmarks.faults.processes import wait_for
from benchmarks.faults.result import Result
from benchmarks.faults.world import Tables, World

PERIOD = 2.0  # seconds between two ticks
TICKS = "SELECT extract(epoch FROM queued_at)::float FROM queue_queuedtask WHERE task = 'faults.tick' ORDER BY 1"


def beats(world: World) -> Result:
    kills, pause = (3, 6.0) if world.quick else (20, 8.0)
    luck = random.Random(world.seed)
    with world.row("beats") as (database, environment):
        tables = Tables(world, database)
        world.run(environment, "-m", "benchmarks.faults.fill", "ticks", str(int(PERIOD * 1000)))
        team = [world.beat(environment, f"beat{number}") for number in range(3)]
        wait_for("the first tick", lambda: tables.all(TICKS), 60)
        wait_for("all three work", lambda: time.sleep(5) or True, 10)
        for number in range(kills):
            victim = luck.choice(team)
            if number % 4 == 3:  # it wakes up with an old idea of what is due
                victim.freeze()
                time.sleep(pause)
                victim.thaw()
            else:
                victim.kill()
                time.sleep(pause)
                victim.start()
        time.sleep(PERIOD * 2)
        moments = [moment for (moment,) in tables.all(TICKS)]
        gaps = [after - before for before, after in pairwise(moments)]
        double = sum(gap < PERIOD / 2 for gap in gaps)
        missed = sum(max(0, round(gap / PERIOD) - 1) for gap in gaps)
        return Result(
            "beats",
            "kill -9 or freezing of one of three beats",
            f"{kills} fail-overs, {len(moments)} ticks due every {PERIOD:g} s",
            0,
            double,
            {"missed": missed, "longest pause (s)": round(max(gaps), 2)},
            [] if missed <= kills else [f"{missed} ticks missed in {kills} fail-overs"],
        )
