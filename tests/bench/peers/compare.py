"""Runs Curfew and its peers in turn and prints ratios: compare.py BUILD RUNS, with PGHOST, PGUSER and PGDATABASE set.

Each run does all of them once, so that what else the machine does hits all alike. Medians of the runs are compared. Every job
must have been done exactly once. Writes BUILD/bench/peers.json.
"""
import json
import os
import statistics
import subprocess
import sys

build, runs = sys.argv[1], int(sys.argv[2])
peers = f"{build}/bench/peers"
node = [f"{peers}/node/node_modules/.bin/node"]
COMMANDS = {
    "graphile-worker": node + [f"{peers}/node/graphile.mjs"],
    "pg-boss": node + [f"{peers}/node/pgboss.mjs"],
    "river": [f"{peers}/go/river"],
    "pgqueuer": [f"{peers}/python/venv/bin/python", "tests/bench/peers/pgqueuer_peer.py"],
}

# name, command, mode, jobs, processes, what it leaves out
PEERS = [
    ("graphile-worker 0.18.0, batched", "graphile-worker", "batched", 60000, 1,
     "no HTTP; a job's end is acknowledged before its commit"),
    ("graphile-worker 0.18.0, batched, two processes", "graphile-worker", "batched", 60000, 2,
     "no HTTP; a job's end is acknowledged before its commit"),
    ("graphile-worker 0.18.0, unbatched", "graphile-worker", "unbatched", 8000, 1, "no HTTP"),
    ("pg-boss 12.38.0, 500 at a time", "pg-boss", "batched", 60000, 1, "no HTTP"),
    ("pg-boss 12.38.0, one at a time", "pg-boss", "unbatched", 8000, 1, "no HTTP"),
    ("River 0.51.2, 2,000 at a time", "river", "batched", 60000, 1,
     "no HTTP; a job's end is acknowledged before its commit"),
    ("pgqueuer 1.6.0, 500 at a time", "pgqueuer", "batched", 20000, 1,
     "no HTTP; a job's end is acknowledged before its commit"),
]
PEERS = [peer for peer in PEERS if os.access(COMMANDS[peer[1]][0], os.X_OK)]
CURFEW = {
    "slices": ("slices of 100, items of 32 bytes, 16 workers", "Curfew, slices of 100, 16 workers"),
    "singles": ("one task per claim, 64 workers", "Curfew, one task per claim, 64 workers"),
}
LATENCY = "submit to first task at an idle worker"


def database():
    name = f"peer_{database.made}"
    database.made += 1
    subprocess.run(["psql", "-q", "-c", f"CREATE DATABASE {name}"], check=True)
    return os.environ | {"PGDATABASE": name}


database.made = 0


def start(peer, mode, count, environment):
    return subprocess.Popen(COMMANDS[peer] + [mode, str(count)], env=environment, stdout=subprocess.PIPE, text=True)


def last_line(process):
    out, _ = process.communicate(timeout=200)
    if process.returncode:
        sys.exit(f"bench-peers: {process.args} ended with {process.returncode}")
    return json.loads(out.splitlines()[-1]) if out.strip() else None


def rate(peer, mode, count, processes):
    environment = database()
    last_line(start(peer, "fill", count, environment))
    held = subprocess.run(["psql", "-qAt", "-c", "SELECT count(*) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL "
                           "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"],
                          check=True, capture_output=True, text=True).stdout.strip()
    if held != "0":
        sys.exit(f"bench-peers: {held} foreign snapshots are open")
    parts = [last_line(each) for each in [start(peer, mode, count, environment) for _ in range(processes)]]
    done = sum(part["count"] for part in parts)
    if done != count:
        sys.exit(f"bench-peers: {peer} {mode}: {done} of {count} jobs were done")
    took = max(part["last"] for part in parts) - min(part["first"] for part in parts if part["first"])
    return done * 1000 / took


def curfew(values, latencies):
    subprocess.run([f"{build}/tests/bench/scenarios/scenarios", "--runs=1", "--only=slices,singles,latency",
                    f"--json={peers}"], check=True, stdout=subprocess.DEVNULL)
    for scenario, (measure, name) in CURFEW.items():
        values.setdefault(name, []).append(measures(scenario)[measure])
    for point in ("p50", "p99"):
        latencies.setdefault(("Curfew", point), []).append(measures("latency")[f"{LATENCY}, {point}"])


def measures(scenario):
    with open(f"{peers}/{scenario}.json") as file:
        return {each["name"]: each["median"] for each in json.load(file)["measures"]}


def peer_latency(latencies):
    environment = database()
    last_line(start("graphile-worker", "fill", 0, environment))
    found = sorted(last_line(start("graphile-worker", "latency", 400, environment))["latencies"])
    for point, part in (("p50", 0.5), ("p99", 0.99)):
        latencies.setdefault(("graphile-worker 0.18.0", point), []).append(found[int((len(found) - 1) * part)])


def show(values, latencies):
    medians = {name: statistics.median(each) for name, each in values.items()}
    ours = [medians[name] for _, name in CURFEW.values()]
    for name, each in values.items():
        about = next((f"  ({peer[5]})" for peer in PEERS if peer[0] == name), "")
        single = next((peer[2] == "unbatched" for peer in PEERS if peer[0] == name), None)
        ratio = "" if single is None else f"Curfew does {ours[single] / medians[name]:.1f} times as many"
        print(f"  {name:<48} {medians[name]:9.0f} {min(each):9.0f} {max(each):9.0f} jobs/s  {ratio}{about}")
    for (name, point), each in latencies.items():
        about = "  (no HTTP)" if name != "Curfew" else ""
        print(f"  {name + ', submit to start, ' + point:<48} {statistics.median(each):9.2f} {min(each):9.2f} "
              f"{max(each):9.2f} ms{about}")


def main():
    load = os.getloadavg()[0]
    print(f"in turn, {runs} runs; {os.cpu_count()} cores, load {load:.2f} before; fsync and synchronous_commit on")
    print(f"  {'':<48} {'median':>9} {'lowest':>9} {'highest':>9}")
    values, latencies = {}, {}
    for _ in range(runs):
        curfew(values, latencies)
        peer_latency(latencies)
        for name, peer, mode, count, processes, _ in PEERS:
            values.setdefault(name, []).append(rate(peer, mode, count, processes))
    show(values, latencies)
    with open(f"{build}/bench/peers.json", "w") as file:
        json.dump({"runs": runs, "conditions": {"cores": os.cpu_count(), "load": load}, "rates": values,
                   "latencies_ms": {", ".join(key): each for key, each in latencies.items()},
                   "leaves_out": {peer[0]: peer[5] for peer in PEERS}}, file, indent=1)


main()
