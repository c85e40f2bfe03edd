/* See address.h. Nothing here asks anybody, so it may run on MAIN: what is not numeric is left to resolve.c. */
#include "io/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/assert.h"

COS_STATIC_ASSERT(sizeof(struct sockaddr_in6) <= sizeof(struct sockaddr_storage),
                  "an address of the internet fits");

static void take_in(struct cosched_address *out, const struct sockaddr_in *in)
{
    memset(out, 0, sizeof *out);
    memcpy(&out->to, in, sizeof *in);
    out->size = sizeof *in;
}

static void take_in6(struct cosched_address *out, const struct sockaddr_in6 *in6)
{
    memset(out, 0, sizeof *out);
    memcpy(&out->to, in6, sizeof *in6);
    out->size = sizeof *in6;
}

bool cos_address_numeric(struct cosched_address *out, const char *host, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        take_in(out, &in);
        return true;
    }
    if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
        take_in6(out, &in6);
        return true;
    }
    return false;
}

bool cos_address_port_numeric(uint16_t *out, const char *service)
{
    uint32_t port = 0;
    if (service != NULL && *service == '\0') {
        return false;
    }
    for (const char *c = service; c != NULL && *c != '\0'; c++) {
        if (*c < '0' || *c > '9') {
            return false;
        }
        port = port * 10 + (uint32_t)(*c - '0');
        if (port > UINT16_MAX) {
            return false;
        }
    }
    *out = (uint16_t)port;
    return true;
}

void cos_address_any(struct cosched_address *out, int family, uint16_t port)
{
    if (family == AF_INET6) {
        take_in6(out, &(struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)});
    } else {
        take_in(out, &(struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)});
    }
}

int cosched_address_port(const struct cosched_address *a)
{
    if (a->to.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &a->to, sizeof in);
        return ntohs(in.sin_port);
    }
    if (a->to.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &a->to, sizeof in6);
        return ntohs(in6.sin6_port);
    }
    return -EAFNOSUPPORT;
}

/* Of a unix socket. `size` of `out` is not smaller than what snprintf says when it fits. */
static int unix_text(const struct cosched_address *a, char *out, size_t size)
{
    struct sockaddr_un un;
    size_t head = offsetof(struct sockaddr_un, sun_path);
    memcpy(&un, &a->to, sizeof un);
    size_t length = a->size > head ? a->size - head : 0;
    length = length < sizeof un.sun_path ? length : sizeof un.sun_path;
    bool abstract = length > 0 && un.sun_path[0] == '\0';
    const char *name = abstract ? un.sun_path + 1 : un.sun_path;
    length = abstract ? length - 1 : strnlen(un.sun_path, length);
    return snprintf(out, size, "%s%.*s", abstract ? "@" : "", (int)length, name);
}

int cosched_address_text(const struct cosched_address *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    int n = -EAFNOSUPPORT, port = cosched_address_port(a);
    if (a->to.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &a->to, sizeof in);
        n = snprintf(out, size, "%s:%d", inet_ntop(AF_INET, &in.sin_addr, host, sizeof host), port);
    } else if (a->to.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &a->to, sizeof in6);
        n = snprintf(out, size, "[%s]:%d", inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host),
                     port);
    } else if (a->to.ss_family == AF_UNIX) {
        n = unix_text(a, out, size);
    }
    return n >= 0 && (size_t)n >= size ? -ENOSPC : n;
}
