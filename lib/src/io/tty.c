/* Terminals: streams whose line discipline can be changed. */
#include <errno.h>
#include <termios.h>

#include "base/alloc.h"
#include "io/stream.h"
#include "io/sys.h"
#include "io/sys_stream.h"

int cosched_tty_open(cosched_stream **out, int fd)
{
    *out = NULL;
    int rc = cos_io_allowed();
    if (rc < 0) {
        return rc;
    }
    cosched_stream *s = cos_alloc(sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    int own = cos_sys_tty_open(fd);
    if (own < 0) {
        cos_free(s);
        return own;
    }
    cos_stream_init(s, own, COS_STREAM_FILE);
    *out = s;
    return 0;
}

int cosched_tty_size(const cosched_stream *s, int *columns, int *rows)
{
    return cos_sys_tty_size(s->watch.fd, columns, rows);
}

/* As cfmakeraw, but what is written still gets its carriage returns: programs print lines in this mode, too. */
static void make_raw(struct termios *mode)
{
    mode->c_iflag &= ~((tcflag_t)BRKINT | ICRNL | INPCK | ISTRIP | IXON);
    mode->c_oflag |= (tcflag_t)ONLCR;
    mode->c_cflag |= (tcflag_t)CS8;
    mode->c_lflag &= ~((tcflag_t)ECHO | ICANON | IEXTEN | ISIG);
    mode->c_cc[VMIN] = 1;
    mode->c_cc[VTIME] = 0;
}

static int raw_on(cosched_stream *s)
{
    struct termios *former = cos_alloc(sizeof *former);
    if (former == NULL) {
        return -ENOMEM;
    }
    int rc = cos_sys_tty_get(s->watch.fd, former);
    if (rc == 0) {
        struct termios mode = *former;
        make_raw(&mode);
        rc = cos_sys_tty_set(s->watch.fd, &mode);
    }
    if (rc < 0) {
        cos_free(former);
    } else {
        s->former = former;
    }
    return rc;
}

int cosched_tty_raw(cosched_stream *s, bool on)
{
    if (on) {
        return s->former != NULL ? 0 : raw_on(s);
    }
    int rc = s->former != NULL ? cos_sys_tty_set(s->watch.fd, s->former) : 0;
    if (rc == 0) {
        cos_free(s->former);
        s->former = NULL;
    }
    return rc;
}
