"""Runs commands one at a time and measures them from outside: time, CPU, peak memory."""

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# Lines on stderr that split a command's time: the rest of an import begins when its verification ends.
VERIFIED = "verify "
PARQUET_PART = "parquet part:"


def run(command, cwd=None, text=None):
    """Seconds, CPU seconds, peak MiB, exit code and output of a command; peaks cover its children."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as given:
        given.write((text or "").encode())
        given.seek(0)
        begun = time.monotonic()
        child = subprocess.Popen([str(word) for word in command], stdin=given, stdout=output,
                                 stderr=subprocess.PIPE, cwd=cwd)
        said, verified, parquet = [], None, None
        try:
            for line in child.stderr:
                line = line.decode(errors="replace")
                said.append(line)
                if line.startswith(VERIFIED):
                    verified = time.monotonic()
                if line.startswith(PARQUET_PART):
                    parquet = float(line.split(":")[1].split()[0])
            child.stderr.close()
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:   # interrupted: what was begun is not left running
            child.kill()
            child.wait()
            raise
        ended = time.monotonic()
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        stdout = output.read(1 << 20).decode(errors="replace")
    unit = 1 << (20 if sys.platform == "darwin" else 10)
    figures = {"seconds": round(ended - begun, 4),
               "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
               "peak_mib": round(usage.ru_maxrss / unit, 1), "exit": child.returncode}
    if verified and command[1] == "import":
        figures["own_seconds"] = round(ended - verified, 4)
    if parquet is not None:
        figures["parquet_seconds"] = parquet
    return figures, stdout, "".join(said)


def summary(runs):
    """The medians of runs, and their highest peak."""
    runs = [figures for figures in runs if figures["exit"] == 0]
    if not runs:
        return None
    found = {}
    for key in ("seconds", "cpu_seconds", "own_seconds", "parquet_seconds"):
        values = [figures[key] for figures in runs if key in figures]
        if values:
            found[key] = round(statistics.median(values), 4)
    found["peak_mib"] = max(figures["peak_mib"] for figures in runs)
    return found


def first_line(command):
    """The first line a command prints; None where it is not installed."""
    if shutil.which(str(command[0])) is None:
        return None
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    return (done.stdout or done.stderr).strip().split("\n")[0] or None


def machine():
    """CPU model, cores and memory of this machine."""
    model, memory = platform.processor() or "unknown", None
    try:
        with open("/proc/cpuinfo") as lines:
            model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        with open("/proc/meminfo") as lines:
            memory = round(int(next(lines).split()[1]) / (1 << 20), 1)
    except (OSError, StopIteration):
        pass
    return {"cpu": model, "cores": os.cpu_count(), "memory_gib": memory,
            "system": f"{platform.system()} {platform.release()} {platform.machine()}"}


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()


def size(path):
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
