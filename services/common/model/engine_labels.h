// The labels of what Curfew creates at a container engine: containers, networks, volumes.
//
// Several deployments may share an engine. What does not carry a deployment's label, with this deployment's name, is
// never touched.
#pragma once

#define ENGINE_LABEL_DEPLOYMENT "io.curfew.deployment"
#define ENGINE_LABEL_JOB "io.curfew.job"
#define ENGINE_LABEL_SERVICE "io.curfew.service" // of a service's container, with its epoch
#define ENGINE_LABEL_EPOCH "io.curfew.epoch"
#define ENGINE_LABEL_WORKER "io.curfew.worker" // the name of the worker that created it
#define ENGINE_LABEL_OWNER "io.curfew.owner"   // the state directory of that worker, by a random name of its own
#define ENGINE_LABEL_PORTS "io.curfew.ports"   // "main=6379,admin=8080": names and numbers in the container, in order
#define ENGINE_LABEL_OUTPUT "io.curfew.output" // of a task's container: the file in it that is copied out at its end
#define ENGINE_LABEL_IDENTITY \
    "io.curfew.identity" // "JOB/SERVICE/EPOCH" or "JOB/STAGE/TASK/TOKEN": see worker/runtime.h
