"""Which memory limit holds, on made-up machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tightship.core.machine import MemoryLimit, memory_limit

GIB = 2**30
PHYSICAL = MemoryLimit(16 * GIB, "physical memory")
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
V1 = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
V1_CPU = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu"
HYBRID_V2 = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw"
#: What version 1 answers where no limit is set.
UNLIMITED = 9223372036854771712


class Machine:
    """A file system root with the files that tell limits."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/meminfo", f"MemTotal:       {16 * GIB // 1024} kB\nMemFree:  1 kB\n")

    def write(self, path: str, text: object) -> None:
        """Write one file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def mounts(self, *lines: str) -> None:
        """Set what is mounted."""
        self.write("proc/self/mountinfo", "\n".join(["23 1 0:1 / / rw - ext4 /dev/root rw", *lines]))

    def own(self, *lines: str) -> None:
        """Set the cgroups of this process."""
        self.write("proc/self/cgroup", "\n".join(lines))


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_a_machine_without_cgroups_is_limited_by_its_memory(machine):
    """Nothing mounted, nothing said: physical memory."""
    assert memory_limit(machine.root) == PHYSICAL


def test_the_own_group_limits(machine):
    """Version 2: memory.max of the group this process is in."""
    machine.mounts(V2)
    machine.own("0::/jobs/one")
    machine.write("sys/fs/cgroup/jobs/one/memory.max", 2 * GIB)
    assert memory_limit(machine.root) == MemoryLimit(2 * GIB, "cgroup v2 memory.max of /jobs/one")


def test_a_group_further_up_may_be_stricter(machine):
    """A limit holds for all groups below it."""
    machine.mounts(V2)
    machine.own("0::/jobs/one")
    machine.write("sys/fs/cgroup/jobs/one/memory.max", 8 * GIB)
    machine.write("sys/fs/cgroup/jobs/memory.max", 1 * GIB)
    assert memory_limit(machine.root) == MemoryLimit(1 * GIB, "cgroup v2 memory.max of /jobs")


def test_max_is_no_limit(machine):
    """Version 2 says "max" where nothing is set."""
    machine.mounts(V2)
    machine.own("0::/jobs/one")
    machine.write("sys/fs/cgroup/jobs/one/memory.max", "max")
    machine.write("sys/fs/cgroup/jobs/memory.max", "max")
    assert memory_limit(machine.root) == PHYSICAL


def test_a_neighbours_limit_is_not_ours(machine):
    """Only the groups on the way up count."""
    machine.mounts(V2)
    machine.own("0::/jobs/one")
    machine.write("sys/fs/cgroup/jobs/one/memory.max", "max")
    machine.write("sys/fs/cgroup/jobs/two/memory.max", GIB)
    assert memory_limit(machine.root) == PHYSICAL


def test_a_limit_above_physical_memory_limits_nothing(machine):
    """The machine itself is the lower one."""
    machine.mounts(V2)
    machine.own("0::/")
    machine.write("sys/fs/cgroup/memory.max", 64 * GIB)
    assert memory_limit(machine.root) == PHYSICAL


def test_version_1_limits(machine):
    """Version 1: memory.limit_in_bytes of the memory controller's group."""
    machine.mounts(V1_CPU, V1)
    machine.own("4:memory:/x", "1:cpu:/y")
    machine.write("sys/fs/cgroup/memory/x/memory.limit_in_bytes", 3 * GIB)
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", UNLIMITED)
    assert memory_limit(machine.root) == MemoryLimit(3 * GIB, "cgroup v1 memory.limit_in_bytes of /x")


def test_version_1_says_unlimited_by_a_huge_number(machine):
    """On a machine whose own memory cannot be read too, that number is no limit."""
    machine.mounts(V1)
    machine.own("4:memory:/")
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", UNLIMITED)
    machine.write("proc/meminfo", "")
    assert memory_limit(machine.root).source == "physical memory"


def test_controllers_mounted_together_are_found(machine):
    """Version 1 may mount memory beside other controllers."""
    machine.mounts("35 31 0:32 / /sys/fs/cgroup/cpu,memory rw - cgroup cgroup rw,cpu,memory")
    machine.own("4:cpu,memory:/x")
    machine.write("sys/fs/cgroup/cpu,memory/x/memory.limit_in_bytes", GIB)
    assert memory_limit(machine.root).limit_bytes == GIB


def test_hybrid_mounts_are_both_asked(machine):
    """Version 1 holds the memory controller, version 2 is mounted beside it without one."""
    machine.mounts(V1, HYBRID_V2)
    machine.own("4:memory:/process/abc", "0::/")
    machine.write("sys/fs/cgroup/unified/cgroup.controllers", "")
    machine.write("sys/fs/cgroup/memory/process/abc/memory.limit_in_bytes", 5 * GIB)
    assert memory_limit(machine.root) == MemoryLimit(5 * GIB, "cgroup v1 memory.limit_in_bytes of /process/abc")


def test_in_a_container_the_mount_is_the_own_group(machine):
    """The path names the host's group, which is not visible: the mount's root is the own group."""
    machine.mounts(V2)
    machine.own("0::/system.slice/docker-123.scope")
    machine.write("sys/fs/cgroup/memory.max", GIB)
    assert memory_limit(machine.root) == MemoryLimit(GIB, "cgroup v2 memory.max of /")


def test_a_group_bound_into_a_container_is_found(machine):
    """The mount shows a part of the hierarchy: its root is taken off the path."""
    machine.mounts("35 31 0:32 /docker/123 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory")
    machine.own("4:memory:/docker/123/inner")
    machine.write("sys/fs/cgroup/memory/inner/memory.limit_in_bytes", 2 * GIB)
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", 4 * GIB)
    assert memory_limit(machine.root) == MemoryLimit(2 * GIB, "cgroup v1 memory.limit_in_bytes of /inner")


def test_a_path_out_of_the_namespace_is_not_followed(machine):
    """A cgroup namespace shows groups outside of it as "/.."; the mount's root it is."""
    machine.mounts(V2)
    machine.own("0::/../other")
    machine.write("sys/fs/cgroup/memory.max", GIB)
    machine.write("sys/fs/other/memory.max", 1)
    assert memory_limit(machine.root).limit_bytes == GIB


def test_a_mount_point_with_a_space_is_found(machine):
    """mountinfo writes a space as \\040."""
    machine.mounts(r"30 23 0:26 / /sys/c\040group rw - cgroup2 cgroup2 rw")
    machine.own("0::/")
    machine.write("sys/c group/memory.max", GIB)
    assert memory_limit(machine.root).limit_bytes == GIB


def test_this_machine_has_a_limit():
    """On the real machine, whatever it is, there is a positive answer with a source."""
    found = memory_limit()
    assert found.limit_bytes > 64 * 2**20
    assert found.source
