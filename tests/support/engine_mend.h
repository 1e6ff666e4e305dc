// What a dockerd that was killed leaves behind so that no dockerd starts over it any more: not ours to test, so it is
// mended.
#pragma once

// Of 20.10: killed while it removes a network (or makes one), it panics at every later start over the network that has
// lost its address pool. Takes the pool's configuration from such networks, so that the start goes on to remove them.
// `data`: the engine's data root, which no dockerd uses now. Async-signal-safe but for memory.
void engine_mend_networks(const char *data);
