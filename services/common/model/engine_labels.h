// The labels of what Curfew creates at a container engine: containers, networks, volumes.
//
// Several deployments may share an engine. What does not carry a deployment's label, with this deployment's name, is
// never touched.
#pragma once

#define ENGINE_LABEL_DEPLOYMENT "io.curfew.deployment"
#define ENGINE_LABEL_JOB "io.curfew.job"
#define ENGINE_LABEL_SERVICE "io.curfew.service" // of a service's container, with its epoch
#define ENGINE_LABEL_EPOCH "io.curfew.epoch"
#define ENGINE_LABEL_WORKER "io.curfew.worker"
#define ENGINE_LABEL_IDENTITY \
    "io.curfew.identity" // "JOB/SERVICE/EPOCH" or "JOB/STAGE/TASK/TOKEN": see worker/runtime.h
