// A network of its own for the calling process and what it starts: nothing but the loopback interface, all ports free.
#pragma once

// Call it before there are threads, connections or other processes. 0; -1 with errno where that is not allowed: it
// needs root.
int own_network_enter(void);
