/* Addresses of the internet: what needs no lookup. */
#ifndef COS_IO_ADDRESS_H
#define COS_IO_ADDRESS_H
#include <cosched/io.h>

#include <stdbool.h>

/* A numeric host, without a scope. False: it is none. Any thread. */
bool cos_address_numeric(struct cosched_address *out, const char *host, uint16_t port);
/* 0 … 65535 in digits; NULL is 0. False: it is none. */
bool cos_address_port_numeric(uint16_t *out, const char *service);
/* Every address of this machine; `family` is AF_INET6 (which takes IPv4 in, too) or AF_INET. */
void cos_address_any(struct cosched_address *out, int family, uint16_t port);
#endif
