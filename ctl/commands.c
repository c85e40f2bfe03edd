/* The table of commands: what main dispatches and what --help shows. */
#include <stddef.h>
#include <string.h>

#include "ctl.h"
#include "submission.h"

const struct command command_table[] = {
    {"run", "[OPTIONS] [--detach] -- CMD ARG...",
     "Submit a command, follow its output, exit as it does", command_run, submission_details},
    {"submit", "[OPTIONS] [--wait] -- CMD ARG... | --kind K [--arg K=V]... | --spec FILE|-",
     "Submit jobs and print their ids", command_submit, submission_details},
    {"list", "[OPTIONS]", "List jobs, newest first", command_list,
     "  --state S,S...  only these states\n  --queue Q       only this queue\n"
     "  --label K=V     only with this label; may be repeated\n"
     "  --kind K        only this kind\n  --name NAME     only this name\n"
     "  --limit N       at most N jobs (100)\n  --before ID     only older jobs\n"},
    {"status", "ID...", "Show jobs in full", command_status, NULL},
    {"edit", "OPTIONS ID", "Change a job that has not started", command_edit,
     "  --queue Q  --priority N  --after ID,...  --delay D  --at TIME\n"
     "  --timeout D  --deadline D|TIME  --name NAME\n"
     "                 as in submit\n"
     "  --label K=V    these labels instead of those it has; may be repeated\n"
     "  --clear WHAT   back to the default: queue priority after at delay timeout\n"
     "                 deadline labels name\n"},
    {"why", "ID", "Say what a job waits for", command_why, NULL},
    {"wait", "[--timeout D] [--any] ID...", "Wait for jobs, exit as they did", command_wait,
     "  --timeout D  give up after a duration (exit status 124)\n"
     "  --any        the first that ends is enough\n"},
    {"logs", "[-f] [--tail N] [--attempt N] [--stream S] ID", "Show the output of a job",
     command_logs,
     "  -f, --follow  go on until the job ends\n  --tail N      only the last N lines\n"
     "  --attempt N   of this attempt (the last)\n"
     "  --stream S    stdout, stderr or both (both)\n"},
    {"cancel", "ID...", "Cancel jobs", command_cancel, NULL},
    {"retry", "ID...", "Queue ended jobs again, with the same ids", command_retry, NULL},
    {"rm", "ID...", "Forget ended jobs and their output", command_rm, NULL},
    {"signal", "ID SIGNAL", "Signal the processes of a running job", command_signal, NULL},
    {"queue", "list | set|pause|resume|reset|delete NAME", "List the queues, steer one",
     command_queue,
     "  list          what there is, and what it holds\n"
     "  set NAME      --parallel N, --rate PER-SECOND, --weight N; makes it, if it is not there\n"
     "  pause NAME, resume NAME\n                start nothing more; go on\n"
     "  reset NAME    forget what was set or paused: as configured\n"
     "  delete NAME   --move-to QUEUE takes its unfinished jobs\n"},
    {"stats", "[--watch] [--interval D] [--count N]", "Show live metrics", command_stats,
     "  --watch       again every second\n  --interval D  again every D\n"
     "  --count N     end after N times\n"},
    {"events", "[--from-seq N] [OPTIONS]", "Show what happens, as it happens", command_events,
     "  --from-seq N   also what happened after event N\n"
     "  --type T,T...  job, queue, stats (job)\n"
     "  --interval D   of queue and stats events (1s)\n"
     "  --queue Q, --state S,S...\n                 only jobs of this queue, into these states\n"
     "  --count N      end after N events\n"},
    {"metrics", "", "Show the metrics as Prometheus reads them", command_metrics, NULL},
    {"trace", "[--for D] [-o FILE]", "Record what the scheduler does, for Perfetto", command_trace,
     "  --for D              for so long (2s); 0s: what is remembered of the last moments\n"
     "  -o, --output FILE    into this file, not to standard output\n"},
    {"top", "[--interval D] [--count N] [--once] [--plain]", "Watch the daemon and its jobs",
     command_top,
     "  --interval D  look every D (1s)\n  --count N     end after N looks\n"
     "  --once        one block of lines, with rates since the daemon's start\n"
     "  --plain       blocks of lines, as where the output is no terminal\n"},
    {"tasks", "[--fold] [--stuck] [--frames] [ID]", "Look at the tasks inside the daemon",
     command_tasks,
     "  --fold    tasks that are alike as one\n"
     "  --stuck   only those that wait for each other for ever\n"
     "  --frames  with their back traces\n"},
    {"kinds", "", "List the kinds of jobs and their arguments", command_kinds, NULL},
    {"ping", "", "Ask whether the daemon answers", command_ping, NULL},
    {"reload", "", "Read the configuration again", command_reload, NULL},
    {"drain", "[--undo]", "Start nothing more, wait until nothing runs", command_drain,
     "  --undo  accept and start jobs again\n"},
    {"shutdown", "", "Drain and stop the daemon", command_shutdown, NULL},
    {"version", "", "Show the versions of client and daemon", command_version, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct command *command_find(const char *name)
{
    const struct command *c = command_table;
    while (c->name && strcmp(c->name, name) != 0) {
        c++;
    }
    return c->name ? c : NULL;
}
