#include "tests/faults/kinds.h"

#include "services/common/base/macros.h"
#include "tests/support/engine.h"

#define RETRIES "'retries':{'max':100,'backoff':'20ms','backoff_max':'200ms'}"
#define LIFE "'timeout':'30m','max_lifetime':'1h'"
#define SERVICE                                                                                                     \
    "{'name':'store','command':['NASTY-PROGRAM','tree'],'ports':[{'name':'main'}],'env':{'PORT':'${PORT}'},"        \
    "'ready':{'tcp':'main'},'stop':{'grace':'300ms'},'on_failure':{'restart':{'max':1000,'window':'2s','backoff':'" \
    "20ms'}}}"
#define SECOND                                                                                                   \
    "{'name':'front','command':['NASTY-PROGRAM','ignore-term'],'depends_on':['store'],'stop':{'grace':'100ms'}," \
    "'on_failure':{'restart':{'max':1000,'window':'2s','backoff':'20ms'}}}"
#define OUTPUT "echo $CURFEW_TASK >$CURFEW_OUTPUT"
#define STREAM                                                                  \
    "import json,sys\\nfor line in sys.stdin:\\n t=json.loads(line)['task']\\n" \
    " print(json.dumps({'task':t,'ok':True,'outputs':[t]}),flush=True)"

static const struct job_kind of_processes[] = {
    {"services",
     "{'name':'services'," LIFE ",'services':[" SERVICE "," SECOND "],'stages':[{'name':'main'," RETRIES
     ",'tasks':{'count':20},'command':['sh','-c','sleep 0.05; " OUTPUT "']}]}",
     20},
    {"chain",
     "{'name':'chain'," LIFE ",'stages':[{'name':'source'," RETRIES
     ",'tasks':{'count':30},'command':['sh','-c','" OUTPUT "']},{'name':'sink','from':'source'," RETRIES
     ",'command':['sh','-c','cat >$CURFEW_OUTPUT']}]}",
     30},
    {"flaky",
     "{'name':'flaky'," LIFE ",'stages':[{'name':'main'," RETRIES
     ",'tasks':{'count':20},'command':['sh','-c','[ $CURFEW_ATTEMPT -gt 1 ] || exit 7; " OUTPUT "']}]}",
     20},
    {"stream",
     "{'name':'stream'," LIFE ",'stages':[{'name':'main','mode':'stream'," RETRIES
     ",'tasks':{'count':60},'command':['python3','-c',"
     "'STREAM-PROGRAM']}]}",
     60},
    {"after",
     "{'name':'after'," LIFE ",'services':[" SERVICE "],'stages':[{'name':'first','max_parallel':2," RETRIES
     ",'tasks':{'count':6},'command':['sh','-c','sleep 0.1']},{'name':'last','after':'first'," RETRIES
     ",'command':['sh','-c','" OUTPUT "']}]}",
     1},
};

// ---- containers

#define IMAGE "'image':'" ENGINE_IMAGE "'"
// What was ready once has to stay: a start that was cut off may be tried again.
#define ENDURING                                                                                           \
    ",'ports':[{'name':'main'}],'env':{'PORT':'${PORT}'},'ready':{'tcp':'main'},'stop':{'grace':'300ms'}," \
    "'on_failure':{'restart':{'max':1000,'window':'2s','backoff':'20ms'}}}"
#define STORE "{'name':'store'," IMAGE ",'command':['nasty','tree']" ENDURING
#define FRONT "{'name':'front','depends_on':['store']," IMAGE ",'command':['nasty','ignore-term']" ENDURING
#define STREAM_SHELL                                             \
    "while read -r line; do task=${line#*:}; task=${task%%,*}; " \
    "printf '{\\\"task\\\":%s,\\\"ok\\\":true,\\\"outputs\\\":[%s]}\\\\n' $task $task; done"

static const struct job_kind of_containers[] = {
    {"services",
     "{'name':'services'," LIFE ",'services':[" STORE "," FRONT "],'stages':[{'name':'main'," IMAGE "," RETRIES
     ",'tasks':{'count':6},'command':['sh','-c','wget -qO- http://$CURFEW_SERVICE_STORE_ADDR/; sleep 1; " OUTPUT
     "']}]}",
     6},
    {"chain",
     "{'name':'chain'," LIFE ",'stages':[{'name':'source'," IMAGE "," RETRIES
     ",'tasks':{'count':4},'command':['sh','-c','" OUTPUT "']},{'name':'sink','from':'source'," IMAGE "," RETRIES
     ",'command':['sh','-c','cat >$CURFEW_OUTPUT']}]}",
     4},
    {"processes",
     "{'name':'processes'," LIFE ",'services':[" STORE "],'stages':[{'name':'main'," RETRIES
     ",'tasks':{'count':20},'command':['sh','-c','curl -fs http://$CURFEW_SERVICE_STORE_ADDR/ >/dev/null || exit 75; "
     "sleep 0.2; " OUTPUT "']}]}",
     20},
    {"stream",
     "{'name':'stream'," LIFE ",'stages':[{'name':'main','mode':'stream'," IMAGE "," RETRIES
     ",'tasks':{'count':20},'command':['sh','-c','STREAM-PROGRAM']}]}",
     20},
};

const struct job_kinds kinds_of_processes = {of_processes, ARRAY_LEN(of_processes), STREAM};
const struct job_kinds kinds_of_containers = {of_containers, ARRAY_LEN(of_containers), STREAM_SHELL};
