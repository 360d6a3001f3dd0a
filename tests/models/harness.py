# SPDX-License-Identifier: MIT
"""Running the compiler and compiled programs, and what that took."""
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

MEASURE = pathlib.Path(__file__).with_name("measure.py")
TARGETS = ("nca1", "nca2")
PRECISIONS = ("fp32", "bf16")
# One core: `large` on nca1 (2 slices of 2), `xlarge` on nca2 (4 of 4).
ONE_CORE = {"nca1": "large", "nca2": "xlarge"}
COMPILE_SECONDS = 600
LAUNCH_SECONDS = 900


@dataclasses.dataclass
class Ran:
    status: int
    out: str
    message: str	# the last line of standard error
    cpu_s: float
    peak_bytes: int

    def json(self):
        return json.loads(self.out)


def run(command, limit):
    """Runs a program for at most `limit` seconds of CPU time and five times that of waiting."""
    with tempfile.TemporaryDirectory() as d:
        p = subprocess.run([sys.executable, "-I", "-S", MEASURE, f"{d}/took", str(limit), str(5 * limit),
                            *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, errors="replace")
        if p.returncode:
            raise RuntimeError(f"{command[0]}: {p.stderr.strip()}")
        status, cpu_s, peak = (float(w) for w in pathlib.Path(d, "took").read_text().split())
    lines = p.stderr.strip().splitlines()
    return Ran(int(status), p.stdout, lines[-1] if lines else "", cpu_s, int(peak))


class Tools:
    def __init__(self, build):
        self.bin = pathlib.Path(build) / "bin"

    def compile(self, onnx, ncx, target, precision, *options):
        return run([self.bin / "accelcc", onnx, "-o", ncx, "--target", target, "--precision", precision, "--json",
                    *options], COMPILE_SECONDS)

    def launch(self, ncx, target, *options, device=""):
        """One core of a simulated device. `device`: more settings of it, such as simd=scalar."""
        spec = f"sim:{target},threads=1" + ("," + device if device else "")
        return run([self.bin / "accelctl", "run", ncx, "--device", spec, "--size", ONE_CORE[target], "--json",
                    "--timeout", LAUNCH_SECONDS, *options], LAUNCH_SECONDS)


def inputs_of(directory, batch, names):
    """Options that feed both inputs of a model, one launch each."""
    options = []
    for name in names:
        options += ["--input", f"{name}={directory / f'b{batch}.in.{name}.npy'}"]
    return options
