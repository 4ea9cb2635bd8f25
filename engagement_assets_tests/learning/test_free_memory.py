"""Free memory is the machine's, or less where a container has a limit."""

import os

from engagement_assets.learning import memory


def test_free_memory_is_part_of_the_machines():
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = memory.available_bytes()
    assert free is not None
    assert 0 < free <= whole


def test_a_containers_limit_counts_and_no_source_is_none(tmp_path, monkeypatch):
    machine = tmp_path / "meminfo"
    machine.write_text("MemTotal: 9 kB\nMemAvailable:    4000 kB\n")
    monkeypatch.setattr(memory, "_MACHINE", machine)
    monkeypatch.setattr(memory, "_GROUP", tmp_path)
    assert memory.available_bytes() == 4_096_000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("500\n")
    assert memory.available_bytes() == 4_096_000
    (tmp_path / "memory.max").write_text("1500\n")
    assert memory.available_bytes() == 1_000
    machine.unlink()
    (tmp_path / "memory.max").unlink()
    assert memory.available_bytes() is None
