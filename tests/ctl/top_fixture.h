/* Answers that the tests of top are given: ' stands for ". */
#ifndef TOP_FIXTURE_H
#define TOP_FIXTURE_H

#include <check.h>
#include <string.h>

#include "top_jobs.h"
#include "top_model.h"
#include "wire/json.h"

static inline struct json *fixture_json(const char *text)
{
    char copy[8192];
    struct json_error error;
    size_t n = strlen(text);
    ck_assert_uint_lt(n, sizeof copy);
    for (size_t i = 0; i <= n; i++) {
        copy[i] = (char)(text[i] == '\'' ? '"' : text[i]);
    }
    struct json *json = json_parse(copy, n, &error);
    ck_assert_msg(json != NULL, "%s at %zu", error.reason, error.offset);
    return json;
}

static inline void fixture_stats(struct top_model *model, const char *text, int64_t now_us)
{
    struct json *json = fixture_json(text);
    top_model_stats(model, json, now_us);
    json_free(json);
}

static inline void fixture_list(struct top_jobs *jobs, enum top_part part, const char *text)
{
    struct json *json = fixture_json(text);
    top_jobs_take(jobs, part, json);
    json_free(json);
    top_jobs_arrange(jobs);
}

/* Two snapshots, two seconds apart, of a daemon that has run for 7,500 s. Submitted, started: of the second. */
#define FIXTURE_STATS(uptime, pid, submitted, ended, commits, busy_us, slices)                     \
    "{'daemon':{'version':'0.1.0','uptime_s':" uptime ",'pid':" pid ",'rss_bytes':14890000,"       \
    "'connections':3,'boot_id':'b'},'jobs':{'submitted':" submitted ",'started':" ended            \
    ",'succeeded':" ended                                                                          \
    ",'failed':2,'timed_out':1,'canceled':0,'skipped':0,'running':2,'queued':1284,'delayed':3,"    \
    "'blocked':0},'queues':[{'name':'default','depth':1200,'running':2,'parallel':2,'paused':"     \
    "false,"                                                                                       \
    "'oldest_s':75.5},{'name':'night','depth':84,'running':0,'parallel':1,'paused':true,"          \
    "'oldest_s':4000}],'latency':{'submit_us':{'p50':120,'p99':1200},'queue_wait_us':{'p50':3400," \
    "'p99':120000},'run_us':{'p50':5200,'p99':1000000},'commit_us':{'p50':900,'p99':4000}},"       \
    "'scheduler':{'main':{'ready':1,'inbox':2,'slices':" slices ",'busy_us':" busy_us              \
    ",'poll_gap_us':{'p50':12,'p99':1200},'loop_idle_pct':98},'workers':[{'id':0,'deque':4,"       \
    "'slices':" slices ",'steals':10,'parks':30,'busy_us':" busy_us ",'busy_pct':1},{'id':1,"      \
    "'deque':0,'slices':0,'steals':0,'parks':0,'busy_us':0,'busy_pct':0},{'id':2,'deque':0,"       \
    "'slices':0,'steals':0,'parks':0,'busy_pct':40}],'tasks':{'live':17},'stacks':{'in_use':15,"   \
    "'bytes':4194304}},'store':{'commits':" commits                                                \
    ",'batch_avg':4.125,'wal_bytes':1258291,'db_bytes':14680064}}"
#define FIXTURE_FIRST  FIXTURE_STATS("7500", "123", "75000", "7500", "15000", "750000000", "7500")
#define FIXTURE_SECOND FIXTURE_STATS("7502", "123", "75250", "7524", "15620", "751400000", "37500")

#define FIXTURE_RUNNING                                                                          \
    "{'jobs':[{'id':12,'name':'evil \\u001b[31mred\\n','kind':'exec','queue':'default',"         \
    "'state':'running','priority':0,'attempt':2,'created':'2030-01-01T00:00:00Z',"               \
    "'started':'2030-01-01T00:00:05Z','owner':{'uid':0,'user':'root'}},{'id':9,'name':null,"     \
    "'kind':'exec','queue':'default','state':'running','priority':0,'attempt':1,"                \
    "'created':'2030-01-01T00:00:00Z','started':'2030-01-01T00:01:00Z','owner':{'uid':0,'user':" \
    "'root'}}],'more':false}"
#define FIXTURE_WAITING                                                                            \
    "{'jobs':[{'id':15,'name':'a name that is far longer than what is left of any narrow screen'," \
    "'kind':'hash','queue':'night','state':'delayed','priority':0,'attempt':0,"                    \
    "'created':'2030-01-01T00:00:00Z','started':null,'owner':{'uid':7,'user':'ann'}},{'id':14,"    \
    "'name':'\xe6\xbc\xa2\xe5\xad\x97 \xc3\xa9','kind':'exec','queue':'default','state':'queued'," \
    "'priority':5,'attempt':0,'created':'2030-01-01T00:01:30Z','started':null,'owner':{'uid':0,"   \
    "'user':'root'}},{'id':12,'name':'late','kind':'exec','queue':'default','state':'queued',"     \
    "'attempt':0,'created':'2030-01-01T00:00:00Z'},{'id':13,'name':'alpha','kind':'sleep','queue'" \
    ":"                                                                                            \
    "'night','state':'queued','priority':0,'attempt':0,'created':'2030-01-01T00:00:30Z',"          \
    "'owner':{'uid':7,'user':'ann'}}],'more':true}"
#define FIXTURE_NOW_US INT64_C(1893456100000000) /* 2030-01-01T00:01:40Z */

#endif
