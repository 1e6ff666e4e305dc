// The images of a private engine (engine.h), made of this machine's busybox and tests/fixtures/nasty.c, without a
// network.
#pragma once

struct engine;

void engine_images_make(struct engine *engine);
