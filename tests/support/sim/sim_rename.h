/* Included before every source of the sim build: the calls that would block, start or name an OS thread, or let another
 * thread's poll return, go to the simulator. clock_gettime and epoll_wait are replaced at link time instead, because libuv
 * must see virtual time too (virtual.c). */
#ifndef SIM_RENAME_H
#define SIM_RENAME_H
#define COS_VIRTUAL_TIME 1 /* base/ticks.h counts what clock_gettime says */
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

int sim_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*entry)(void *),
                       void *arg);
int sim_pthread_join(pthread_t thread, void **result);
int sim_pthread_detach(pthread_t thread);
pthread_t sim_pthread_self(void);
int sim_pthread_getattr_np(pthread_t thread, pthread_attr_t *attr);
int sim_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attr);
int sim_mutex_destroy(pthread_mutex_t *m);
int sim_mutex_lock(pthread_mutex_t *m);
int sim_mutex_trylock(pthread_mutex_t *m);
int sim_mutex_unlock(pthread_mutex_t *m);
int sim_cond_init(pthread_cond_t *c, const pthread_condattr_t *attr);
int sim_cond_destroy(pthread_cond_t *c);
int sim_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int sim_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int sim_cond_signal(pthread_cond_t *c);
int sim_cond_broadcast(pthread_cond_t *c);
int sim_nanosleep(const struct timespec *span, struct timespec *left);
int sim_usleep(useconds_t us);
int sim_sched_yield(void);
ssize_t sim_write(int fd, const void *data, size_t size);

#define pthread_create         sim_pthread_create
#define pthread_join           sim_pthread_join
#define pthread_detach         sim_pthread_detach
#define pthread_self           sim_pthread_self
#define pthread_getattr_np     sim_pthread_getattr_np
#define pthread_mutex_init     sim_mutex_init
#define pthread_mutex_destroy  sim_mutex_destroy
#define pthread_mutex_lock     sim_mutex_lock
#define pthread_mutex_trylock  sim_mutex_trylock
#define pthread_mutex_unlock   sim_mutex_unlock
#define pthread_cond_init      sim_cond_init
#define pthread_cond_destroy   sim_cond_destroy
#define pthread_cond_wait      sim_cond_wait
#define pthread_cond_timedwait sim_cond_timedwait
#define pthread_cond_signal    sim_cond_signal
#define pthread_cond_broadcast sim_cond_broadcast
#define nanosleep              sim_nanosleep
#define usleep                 sim_usleep
#define sched_yield            sim_sched_yield
#define write(fd, data, size)  sim_write(fd, data, size)
#endif
