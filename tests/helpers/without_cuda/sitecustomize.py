"""On the path of a test's processes: each begins with megatron-core made to use the CPU."""

import megatron_cpu

megatron_cpu.install()
