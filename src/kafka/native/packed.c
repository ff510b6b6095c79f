/*
 * Kafka's records in and out without a JavaScript object per record.
 *
 * This file is two things at once. To Node it is an N-API addon: attach to a client, read packed batches from it,
 * produce packed batches with it. To librdkafka it is a plugin (`plugin.library.paths`): it learns of each client that
 * is configured with the private property `kstreamd.token`, which is how JavaScript names the client it wants.
 * The clients belong to the stock Kafka client; everything but records stays there. No librdkafka is linked: its
 * functions are looked up in the one that the stock client has loaded.
 *
 *   1. librdkafka      the table of its functions
 *   2. clients         what is known of one rd_kafka_t, and the registry of them
 *   3. plugin          how clients come into the registry and leave it
 *   4. values          errors and arguments between C and JavaScript
 *   5. calls           work on a pool thread, as a promise
 *   6. read            consumed records, packed
 *   7. produce         packed records, queued
 *   8. topicConfigs    what the stock client cannot ask
 *   9. handles         load, attach, detach, the end of an environment
 *
 * Threads: JavaScript's (one in each environment), libuv's pool, librdkafka's. A client's lock guards what they share.
 * Two things live as long as the process, both guarded by the registry's lock: the table and the registry's head.
 */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <node_api.h>
#include <rdkafka.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the packed layout is little endian"
#endif

#define TOKEN_PROPERTY "kstreamd.token"
#define INTERCEPTOR "kstreamd"

/* A waiting call looks this often, in milliseconds, whether its client is being given up. */
#define WAIT_SLICE_MS 50
/* How long a read that has a record waits for more, in milliseconds. */
#define DRAIN_MS 1
/* How long a full queue is waited for before it is tried again. */
#define FULL_POLL_MS 5
/* A read takes no more messages once it holds so many bytes; it looks after each portion of so many messages. */
#define READ_BYTES (16 * 1024 * 1024)
#define READ_PORTION 50
#define READ_MAX 100000

/* ---------------------------------------------------------------------------------------------- 1. librdkafka */

#define FUNCTIONS(X)                                                                                                   \
  X(version_str) X(err2str) X(conf_new) X(conf_get) X(conf_destroy)                                                    \
  X(conf_interceptor_add_on_conf_set) X(conf_interceptor_add_on_conf_destroy) X(conf_interceptor_add_on_new)           \
  X(interceptor_add_on_thread_start) X(interceptor_add_on_destroy)                                                     \
  X(type) X(poll) X(last_error)                                                                                        \
  X(queue_get_consumer) X(queue_new) X(queue_poll) X(queue_destroy) X(consume_batch_queue)                             \
  X(message_destroy) X(message_timestamp) X(message_headers) X(message_leader_epoch) X(message_errstr)                 \
  X(header_cnt) X(header_get_all) X(headers_new) X(header_add) X(headers_destroy)                                      \
  X(topic_new) X(topic_name) X(topic_destroy) X(producev)                                                              \
  X(AdminOptions_new) X(AdminOptions_set_request_timeout) X(AdminOptions_destroy)                                      \
  X(ConfigResource_new) X(ConfigResource_destroy_array) X(ConfigResource_name) X(ConfigResource_error)                 \
  X(ConfigResource_error_string) X(ConfigResource_configs) X(ConfigEntry_name) X(ConfigEntry_value)                    \
  X(DescribeConfigs) X(DescribeConfigs_result_resources)                                                               \
  X(event_error) X(event_error_string) X(event_DescribeConfigs_result) X(event_destroy)

/* `kafka.poll(…)` is `rd_kafka_poll(…)` of the stock client's librdkafka. Written once by load, before any client. */
static struct {
#define DECLARE(name) __typeof__(&rd_kafka_##name) name;
  FUNCTIONS(DECLARE)
#undef DECLARE
} kafka;

/* The address that a library was loaded at, by a function of it; NULL when it is in no library. */
static const void *library_of(const void *function) {
  Dl_info info;
  return dladdr(function, &info) ? info.dli_fbase : NULL;
}

/* --------------------------------------------------------------------------------------------------- 2. clients */

typedef struct topic {
  struct topic *next;
  rd_kafka_topic_t *handle;
  char name[];
} topic;

#define TOPIC_BUCKETS 64

/* One rd_kafka_t. Owned together by librdkafka until on_destroy, by the JavaScript handle and by each call. */
typedef struct client {
  pthread_mutex_t lock;
  pthread_cond_t idle; /* signalled when `calls` becomes 0 */
  int owners;
  int calls;           /* that use `kafka` at this moment, on pool threads */
  atomic_bool closing; /* no call begins any more, and those under way end soon; never taken back */

  rd_kafka_t *kafka;             /* valid for a call that was entered */
  rd_kafka_queue_t *queue;       /* made by the first read */
  topic *topics[TOPIC_BUCKETS];  /* by hash of the name, made by produce */

  struct client *next; /* in the registry, under its lock */
  bool attached;       /* under the registry's lock */

  /* The handle's side: only touched on the JavaScript thread of the environment that attached. */
  struct environment *environment;
  struct client *sibling; /* among the environment's handles */
  bool reading, producing, detached;
  int pending;             /* promises not yet settled */
  napi_deferred detaching; /* settled with the last of them */

  char token[];
} client;

static struct {
  pthread_mutex_t lock;
  client *first;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* One owner. NULL when there is no memory. */
static client *client_new(rd_kafka_t *rk, const char *token) {
  size_t size = strlen(token) + 1;
  client *made = calloc(1, sizeof *made + size);
  if (made == NULL) return NULL;
  pthread_mutex_init(&made->lock, NULL);
  pthread_cond_init(&made->idle, NULL);
  made->owners = 1;
  made->kafka = rk;
  memcpy(made->token, token, size);
  return made;
}

static void client_keep(client *client) {
  pthread_mutex_lock(&client->lock);
  client->owners++;
  pthread_mutex_unlock(&client->lock);
}

/* The last owner frees. */
static void client_drop(client *client) {
  pthread_mutex_lock(&client->lock);
  bool last = --client->owners == 0;
  pthread_mutex_unlock(&client->lock);
  if (!last) return;
  pthread_cond_destroy(&client->idle);
  pthread_mutex_destroy(&client->lock);
  free(client);
}

/* Gives back what holds on to the rd_kafka_t. Under the lock, closing, with no call under way: once for all. */
static void client_release(client *client) {
  if (client->queue != NULL) kafka.queue_destroy(client->queue);
  client->queue = NULL;
  for (int bucket = 0; bucket < TOPIC_BUCKETS; bucket++) {
    for (topic *each = client->topics[bucket], *next; each != NULL; each = next) {
      next = each->next;
      kafka.topic_destroy(each->handle);
      free(each);
    }
    client->topics[bucket] = NULL;
  }
}

/* True: the rd_kafka_t stays alive until client_leave. False: the client is being given up. */
static bool client_enter(client *client) {
  pthread_mutex_lock(&client->lock);
  bool entered = !client->closing;
  if (entered) client->calls++;
  pthread_mutex_unlock(&client->lock);
  return entered;
}

static void client_leave(client *client) {
  pthread_mutex_lock(&client->lock);
  if (--client->calls == 0) {
    if (client->closing) client_release(client);
    pthread_cond_broadcast(&client->idle);
  }
  pthread_mutex_unlock(&client->lock);
}

/* From here on no call begins; the last one under way gives everything back. Does not wait. */
static void client_close(client *client) {
  pthread_mutex_lock(&client->lock);
  client->closing = true;
  if (client->calls == 0) client_release(client);
  pthread_mutex_unlock(&client->lock);
}

/* ---------------------------------------------------------------------------------------------------- 3. plugin */

/* The token of one configuration; each copy of a configuration has its own. */
typedef struct {
  char *token;
} settings;

/* Interceptor: the rd_kafka_t is about to be freed, on librdkafka's main thread. Waits for the calls under way. */
static rd_kafka_resp_err_t on_destroy(rd_kafka_t *rk, void *opaque) {
  (void)rk;
  client *gone = opaque;
  pthread_mutex_lock(&registry.lock);
  for (client **link = &registry.first; *link != NULL; link = &(*link)->next) {
    if (*link != gone) continue;
    *link = gone->next;
    break;
  }
  pthread_mutex_unlock(&registry.lock);

  pthread_mutex_lock(&gone->lock);
  gone->closing = true;
  while (gone->calls > 0) pthread_cond_wait(&gone->idle, &gone->lock);
  client_release(gone);
  gone->kafka = NULL;
  pthread_mutex_unlock(&gone->lock);
  client_drop(gone);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Interceptor: the rd_kafka_t is complete once its main thread starts; before that it must not be used. */
static rd_kafka_resp_err_t on_thread_start(rd_kafka_t *rk, rd_kafka_thread_type_t type, const char *name, void *opaque) {
  (void)rk, (void)name;
  client *born = opaque;
  if (type != RD_KAFKA_THREAD_MAIN) return RD_KAFKA_RESP_ERR_NO_ERROR;
  pthread_mutex_lock(&registry.lock);
  born->next = registry.first;
  registry.first = born;
  pthread_mutex_unlock(&registry.lock);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Interceptor: a client with our configuration is being made. */
static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque, char *text, size_t size) {
  (void)conf;
  const settings *settings = opaque;
  if (settings->token == NULL) return RD_KAFKA_RESP_ERR_NO_ERROR;
  client *made = client_new(rk, settings->token);
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
  if (made != NULL) error = kafka.interceptor_add_on_destroy(rk, INTERCEPTOR, on_destroy, made);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (made != NULL) client_drop(made);
    snprintf(text, size, "cannot follow this client: %s", kafka.err2str(error));
    return error;
  }
  return kafka.interceptor_add_on_thread_start(rk, INTERCEPTOR, on_thread_start, made);
}

/* Interceptor: takes the token, leaves every other property to librdkafka. Copies of a configuration replay it. */
static rd_kafka_conf_res_t on_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, char *text, size_t size,
                                       void *opaque) {
  (void)conf;
  settings *settings = opaque;
  if (strcmp(name, TOKEN_PROPERTY) != 0) return RD_KAFKA_CONF_UNKNOWN;
  char *token = value == NULL ? NULL : strdup(value);
  if (value != NULL && token == NULL) {
    snprintf(text, size, "out of memory");
    return RD_KAFKA_CONF_INVALID;
  }
  free(settings->token);
  settings->token = token;
  return RD_KAFKA_CONF_OK;
}

static rd_kafka_resp_err_t on_conf_destroy(void *opaque) {
  free(((settings *)opaque)->token);
  free(opaque);
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/*
 * The plugin's entry, found by name. librdkafka calls it for each configuration and again for each copy of one, so
 * that copies have interceptors of their own. Refuses a librdkafka that is not the one we took the functions from.
 */
__attribute__((visibility("default"))) rd_kafka_resp_err_t conf_init(rd_kafka_conf_t *conf, void **opaque, char *text,
                                                                     size_t size) {
  (void)opaque;
  const void *caller = library_of(__builtin_return_address(0));
  pthread_mutex_lock(&registry.lock);
  const void *ours = kafka.version_str == NULL ? NULL : library_of((void *)kafka.version_str);
  pthread_mutex_unlock(&registry.lock);
  if (ours == NULL) {
    snprintf(text, size, "the packed addon is not loaded: load() comes before the first client, with this very file");
    return RD_KAFKA_RESP_ERR__STATE;
  }
  if (ours != caller) {
    snprintf(text, size, "a second librdkafka is in this process: the packed addon works with %s only", kafka.version_str());
    return RD_KAFKA_RESP_ERR__CONFLICT;
  }
  settings *made = calloc(1, sizeof *made);
  if (made == NULL) return RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
  rd_kafka_resp_err_t error = kafka.conf_interceptor_add_on_conf_destroy(conf, INTERCEPTOR, on_conf_destroy, made);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    free(made);
    return error;
  }
  error = kafka.conf_interceptor_add_on_conf_set(conf, INTERCEPTOR, on_conf_set, made);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = kafka.conf_interceptor_add_on_new(conf, INTERCEPTOR, on_new, made);
  return error;
}

/* ---------------------------------------------------------------------------------------------------- 4. values */

#define TEXT_SIZE 512

/* An Error with librdkafka's code as `code`; NULL when the environment cannot make one any more. */
static napi_value error_value(napi_env env, int code, const char *text) {
  napi_value message, number, error = NULL;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message) != napi_ok) return NULL;
  if (napi_create_error(env, NULL, message, &error) != napi_ok) return NULL;
  if (napi_create_int32(env, code, &number) == napi_ok) napi_set_named_property(env, error, "code", number);
  return error;
}

/* Throws an Error with a code. Like all functions here that throw it gives what its caller returns at once. */
static napi_value throw_code(napi_env env, int code, const char *format, ...) {
  char text[TEXT_SIZE];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  napi_value error = error_value(env, code, text);
  if (error != NULL) napi_throw(env, error);
  return NULL;
}

/* Throws a TypeError: a value of the wrong kind. */
static napi_value throw_kind(napi_env env, const char *text) {
  napi_throw_type_error(env, NULL, text);
  return NULL;
}

/* Throws a RangeError: a number that leads out of its range. */
static napi_value throw_range(napi_env env, const char *format, ...) {
  char text[TEXT_SIZE];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  napi_throw_range_error(env, NULL, text);
  return NULL;
}

static napi_value out_of_memory(napi_env env) {
  return throw_code(env, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "out of memory");
}

struct environment;

/* Arguments that were not given are undefined, which no reader below accepts. */
static struct environment *arguments_of(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  void *environment = NULL;
  napi_get_cb_info(env, info, &count, values, NULL, &environment);
  return environment;
}

/* A copy of a string, freed by the caller; NULL with a TypeError thrown for anything else and for inner zeros. */
static char *string_of(napi_env env, napi_value value, const char *name) {
  char text[TEXT_SIZE];
  size_t size, written;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &size) != napi_ok) {
    snprintf(text, sizeof text, "%s must be a string", name);
    throw_kind(env, text);
    return NULL;
  }
  char *copy = malloc(size + 1);
  if (copy == NULL) {
    out_of_memory(env);
    return NULL;
  }
  napi_get_value_string_utf8(env, value, copy, size + 1, &written);
  if (strlen(copy) == size) return copy;
  free(copy);
  snprintf(text, sizeof text, "%s must not contain a zero character", name);
  throw_kind(env, text);
  return NULL;
}

/* A whole number from low to high; false with a TypeError or RangeError thrown. */
static bool integer_of(napi_env env, napi_value value, const char *name, int32_t low, int32_t high, int32_t *result) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "%s must be a number", name);
    throw_kind(env, text);
    return false;
  }
  if (!(number >= low && number <= high) || number != (int32_t)number) {
    throw_range(env, "%s must be a whole number from %d to %d", name, low, high);
    return false;
  }
  *result = (int32_t)number;
  return true;
}

/* The memory of a typed array of the given kind, `length` in elements; false when it is anything else. */
static bool typed_array_of(napi_env env, napi_value value, napi_typedarray_type wanted, void **data, size_t *length) {
  bool is_one = false;
  napi_typedarray_type type;
  if (napi_is_typedarray(env, value, &is_one) != napi_ok || !is_one) return false;
  return napi_get_typedarray_info(env, value, &type, length, data, NULL, NULL) == napi_ok && type == wanted;
}

/* An array of strings, in one piece of memory freed by the caller with free(); NULL with an error thrown. */
static char **strings_of(napi_env env, napi_value value, const char *name, uint32_t *count) {
  bool is_array = false;
  if (napi_is_array(env, value, &is_array) != napi_ok || !is_array) {
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "%s must be an array of strings", name);
    throw_kind(env, text);
    return NULL;
  }
  napi_get_array_length(env, value, count);
  size_t used = *count * sizeof(char *);
  char *memory = malloc(used + 1);
  size_t *starts = malloc(*count * sizeof *starts + 1);
  bool fine = memory != NULL && starts != NULL;
  if (!fine) out_of_memory(env);
  for (uint32_t i = 0; fine && i < *count; i++) {
    napi_value element;
    char *text = napi_get_element(env, value, i, &element) == napi_ok ? string_of(env, element, name) : NULL;
    char *larger = text == NULL ? NULL : realloc(memory, used + strlen(text) + 1);
    fine = larger != NULL;
    if (fine) {
      memory = larger;
      starts[i] = used;
      used += strlen(strcpy(memory + used, text)) + 1;
    } else if (text != NULL) {
      out_of_memory(env);
    }
    free(text);
  }
  if (fine) {
    for (uint32_t i = 0; i < *count; i++) ((char **)memory)[i] = memory + starts[i];
  } else {
    free(memory);
    memory = NULL;
  }
  free(starts);
  return (char **)memory;
}

/* ----------------------------------------------------------------------------------------------------- 5. calls */

/*
 * Work on a pool thread that settles a promise. The kinds of calls below begin with one of these, made by calloc.
 * `run` is on the pool thread, with the client entered; it sets `code` and `text` to reject. `result` and `dispose`
 * are on the JavaScript thread; a result of NULL is undefined. `given_up` runs in place of `run` where the client is
 * closing already, and may be NULL. `dispose` frees what the call holds beyond itself.
 */
typedef struct call {
  client *client;
  bool *busy; /* the flag of the handle that the call holds; NULL when any number may be in flight */
  void (*run)(struct call *);
  void (*given_up)(struct call *);
  napi_value (*result)(napi_env, struct call *);
  void (*dispose)(struct call *);
  int code;
  char text[TEXT_SIZE];
  napi_async_work work;
  napi_deferred deferred;
  napi_ref kept; /* an array of the JavaScript values that must outlive the call */
} call;

static void call_fail(call *call, int code, const char *text) {
  call->code = code;
  snprintf(call->text, sizeof call->text, "%s", text != NULL ? text : kafka.err2str(code));
}

static void call_execute(napi_env env, void *data) {
  (void)env;
  call *call = data;
  if (client_enter(call->client)) {
    call->run(call);
    client_leave(call->client);
  } else if (call->given_up != NULL) {
    call->given_up(call);
  }
}

static void resolve_undefined(napi_env env, napi_deferred deferred) {
  napi_value undefined;
  if (napi_get_undefined(env, &undefined) == napi_ok) napi_resolve_deferred(env, deferred, undefined);
}

static void call_complete(napi_env env, napi_status status, void *data) {
  (void)status;
  call *call = data;
  client *client = call->client;
  if (call->busy != NULL) *call->busy = false;
  napi_value value = NULL;
  if (call->code != 0) {
    value = error_value(env, call->code, call->text);
    if (value != NULL) napi_reject_deferred(env, call->deferred, value);
  } else {
    value = call->result(env, call);
    if (value != NULL) napi_resolve_deferred(env, call->deferred, value);
    else resolve_undefined(env, call->deferred);
  }
  if (--client->pending == 0 && client->detaching != NULL) {
    resolve_undefined(env, client->detaching);
    client->detaching = NULL;
  }
  if (call->kept != NULL) napi_delete_reference(env, call->kept);
  napi_delete_async_work(env, call->work);
  call->dispose(call);
  free(call);
  client_drop(client);
}

/*
 * Queues a call and gives its promise. `values` are kept from the garbage collector until it settles, the handle
 * first among them. Takes the call over: on failure it is freed, with an error thrown.
 */
static napi_value call_start(napi_env env, call *call, napi_value *values, size_t count) {
  napi_value promise, name, list;
  bool fine = napi_create_array_with_length(env, count, &list) == napi_ok;
  for (size_t i = 0; fine && i < count; i++) fine = napi_set_element(env, list, i, values[i]) == napi_ok;
  fine = fine && napi_create_reference(env, list, 1, &call->kept) == napi_ok &&
         napi_create_string_utf8(env, "kstreamd", NAPI_AUTO_LENGTH, &name) == napi_ok &&
         napi_create_async_work(env, NULL, name, call_execute, call_complete, call, &call->work) == napi_ok &&
         napi_create_promise(env, &call->deferred, &promise) == napi_ok && napi_queue_async_work(env, call->work) == napi_ok;
  if (fine) {
    client_keep(call->client);
    call->client->pending++;
    if (call->busy != NULL) *call->busy = true;
    return promise;
  }
  if (call->kept != NULL) napi_delete_reference(env, call->kept);
  if (call->work != NULL) napi_delete_async_work(env, call->work);
  call->dispose(call);
  free(call);
  return throw_code(env, RD_KAFKA_RESP_ERR__FAIL, "the call could not be queued");
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How long a waiting call may wait at once until the deadline, in milliseconds. */
static int slice_until(int64_t deadline) {
  int64_t left = deadline - now_ms();
  return left <= 0 ? 0 : left < WAIT_SLICE_MS ? (int)left : WAIT_SLICE_MS;
}

/* ------------------------------------------------------------------------------------------------------ 6. read */

typedef struct {
  call call;
  int32_t max;
  int32_t timeout_ms;
  uint8_t *packed; /* the outcome; NULL when nothing came */
  size_t size;
} read_call;

/* The records of one topic, partition and leader epoch. */
typedef struct {
  rd_kafka_topic_t *topic;
  int32_t partition;
  int32_t epoch;
  int32_t count;
  int32_t next; /* where its next record goes among all records */
} part;

/* What the messages of one read come to. Positions in the packed buffer are in bytes from its start. */
typedef struct {
  rd_kafka_message_t **messages;
  int count;
  int32_t *part_of; /* by message; -1 for an event */
  bool *headed;     /* by message: it has headers; librdkafka parses anew each time it says that there are none */
  part *parts;
  int part_count;
  int records;
  int events;
  size_t body; /* bytes of keys and values */
  size_t rest; /* bytes of headers, names and texts */
} tally;

/* Waits for one message, then takes what is there, up to max. Gives how many. */
static int take_messages(read_call *read, rd_kafka_message_t **messages) {
  client *client = read->call.client;
  int64_t deadline = now_ms() + read->timeout_ms;
  int count = 0;
  for (int wait = slice_until(deadline);; wait = slice_until(deadline)) {
    ssize_t taken = kafka.consume_batch_queue(client->queue, wait, messages, 1);
    if (taken > 0) count = 1;
    if (count > 0 || wait == 0 || client->closing) break;
  }
  size_t bytes = 0;
  int64_t drained = now_ms() + DRAIN_MS;
  for (int seen = 0; count > 0 && count < read->max && bytes < READ_BYTES;) {
    int wanted = read->max - count < READ_PORTION ? read->max - count : READ_PORTION;
    ssize_t taken = kafka.consume_batch_queue(client->queue, slice_until(drained), messages + count, wanted);
    if (taken > 0) count += (int)taken;
    for (; seen < count; seen++) bytes += messages[seen]->len + messages[seen]->key_len;
    if (taken < wanted) break;
  }
  return count;
}

static bool is_of(const part *part, const rd_kafka_message_t *message, int32_t epoch) {
  return part->topic == message->rkt && part->partition == message->partition && part->epoch == epoch;
}

/* The index of a message's part, which is made when it is new; -1 when there is no memory. Runs are the rule. */
static int part_index(tally *tally, const rd_kafka_message_t *message, int last) {
  int32_t epoch = kafka.message_leader_epoch(message);
  if (last < tally->part_count && is_of(&tally->parts[last], message, epoch)) return last;
  for (int i = 0; i < tally->part_count; i++) {
    if (is_of(&tally->parts[i], message, epoch)) return i;
  }
  if ((tally->part_count & (tally->part_count - 1)) == 0) { /* full: 0, 1, 2, 4 … */
    size_t room = tally->part_count == 0 ? 1 : tally->part_count * 2;
    part *larger = realloc(tally->parts, room * sizeof *larger);
    if (larger == NULL) return -1;
    tally->parts = larger;
  }
  tally->parts[tally->part_count] = (part){.topic = message->rkt, .partition = message->partition, .epoch = epoch};
  tally->rest += strlen(kafka.topic_name(message->rkt));
  return tally->part_count++;
}

/* Bytes that a message's headers take when packed; 0 when it has none. */
static size_t headers_size(const rd_kafka_message_t *message) {
  rd_kafka_headers_t *headers;
  if (kafka.message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return 0;
  const char *name;
  const void *value;
  size_t length, size = 4;
  for (size_t i = 0; kafka.header_get_all(headers, i, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
    size += 8 + strlen(name) + (value == NULL ? 0 : length);
  }
  return size > 4 ? size : 0;
}

/* Assigns each message to its part and adds up sizes. False when there is no memory. */
static bool count_messages(tally *tally) {
  for (int i = 0, last = 0; i < tally->count; i++) {
    const rd_kafka_message_t *message = tally->messages[i];
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      tally->part_of[i] = -1;
      tally->events++;
      tally->rest += strlen(kafka.message_errstr(message)) + (message->rkt == NULL ? 0 : strlen(kafka.topic_name(message->rkt)));
      continue;
    }
    last = part_index(tally, message, last);
    if (last < 0) return false;
    tally->part_of[i] = last;
    tally->parts[last].count++;
    tally->records++;
    tally->body += (message->key == NULL ? 0 : message->key_len) + (message->payload == NULL ? 0 : message->len);
    size_t headers = headers_size(message);
    tally->headed[i] = headers > 0;
    tally->rest += headers;
  }
  for (int i = 0, next = 0; i < tally->part_count; next += tally->parts[i++].count) tally->parts[i].next = next;
  return true;
}

/* The columns of a packed buffer, one after the other in this order. */
typedef struct {
  int32_t *head;
  double *offsets, *timestamps, *event_offsets;
  int32_t *key_pos, *key_len, *value_len, *header_pos, *parts, *events;
  uint8_t *start, *end; /* where the next bytes go */
} columns;

static size_t columns_size(const tally *t) {
  return 32 + (size_t)t->records * (2 * 8 + 4 * 4) + (size_t)t->events * (8 + 24) + (size_t)t->part_count * 24;
}

static columns columns_at(uint8_t *start, const tally *t) {
  columns c = {.start = start, .head = (int32_t *)start};
  c.offsets = (double *)(start + 32);
  c.timestamps = c.offsets + t->records;
  c.event_offsets = c.timestamps + t->records;
  c.key_pos = (int32_t *)(c.event_offsets + t->events);
  c.key_len = c.key_pos + t->records;
  c.value_len = c.key_len + t->records;
  c.header_pos = c.value_len + t->records;
  c.parts = c.header_pos + t->records;
  c.events = c.parts + t->part_count * 6;
  c.end = (uint8_t *)(c.events + t->events * 6);
  return c;
}

static int32_t put_bytes(columns *c, const void *bytes, size_t size) {
  int32_t position = (int32_t)(c->end - c->start);
  if (size > 0) memcpy(c->end, bytes, size);
  c->end += size;
  return position;
}

static void put_int(columns *c, int32_t value) { put_bytes(c, &value, 4); }

/* count, then for each header the lengths of name and value (-1: null) and their bytes. Gives the position. */
static int32_t put_headers(columns *c, const rd_kafka_message_t *message) {
  rd_kafka_headers_t *headers;
  if (kafka.message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return -1;
  size_t count = kafka.header_cnt(headers), length;
  if (count == 0) return -1;
  int32_t position = (int32_t)(c->end - c->start);
  const char *name;
  const void *value;
  put_int(c, (int32_t)count);
  for (size_t i = 0; i < count && kafka.header_get_all(headers, i, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
    size_t name_length = strlen(name);
    put_int(c, (int32_t)name_length);
    put_int(c, value == NULL ? -1 : (int32_t)length);
    put_bytes(c, name, name_length);
    if (value != NULL) put_bytes(c, value, length);
  }
  return position;
}

static void put_record(columns *c, int32_t i, const rd_kafka_message_t *message, bool headed) {
  rd_kafka_timestamp_type_t type;
  int64_t timestamp = kafka.message_timestamp(message, &type);
  c->offsets[i] = (double)message->offset;
  c->timestamps[i] = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : (double)timestamp;
  c->key_len[i] = message->key == NULL ? -1 : (int32_t)message->key_len;
  c->value_len[i] = message->payload == NULL ? -1 : (int32_t)message->len;
  c->key_pos[i] = put_bytes(c, message->key, message->key == NULL ? 0 : message->key_len);
  put_bytes(c, message->payload, message->payload == NULL ? 0 : message->len);
  c->header_pos[i] = headed ? put_headers(c, message) : -1;
}

static void put_event(columns *c, int32_t i, const rd_kafka_message_t *message) {
  int32_t *event = c->events + i * 6;
  const char *name = message->rkt == NULL ? NULL : kafka.topic_name(message->rkt);
  const char *text = kafka.message_errstr(message);
  c->event_offsets[i] = (double)message->offset;
  event[0] = message->err;
  event[2] = name == NULL ? -1 : (int32_t)strlen(name);
  event[1] = put_bytes(c, name, name == NULL ? 0 : strlen(name));
  event[3] = message->partition;
  event[5] = (int32_t)strlen(text);
  event[4] = put_bytes(c, text, strlen(text));
}

/* Writes all columns; the layout is told where `read` is declared for JavaScript (addon.ts). */
static void put_all(columns *c, tally *t) {
  memcpy(c->head, (int32_t[8]){t->records, t->part_count, t->events, (int32_t)(c->end - c->start), (int32_t)t->body}, 32);
  for (int i = 0; i < t->part_count; i++) {
    const part *part = &t->parts[i];
    const char *name = kafka.topic_name(part->topic);
    int32_t length = (int32_t)strlen(name);
    int32_t row[6] = {put_bytes(c, name, length), length, part->partition, part->next, part->count, part->epoch};
    memcpy(c->parts + i * 6, row, sizeof row);
  }
  for (int i = 0, event = 0; i < t->count; i++) {
    if (t->part_of[i] < 0) put_event(c, event++, t->messages[i]);
    else put_record(c, t->parts[t->part_of[i]].next++, t->messages[i], t->headed[i]);
  }
}

/* Packs the messages of a read into one buffer, or fails the call. */
static void pack(read_call *read, tally *tally) {
  tally->part_of = malloc(tally->count * sizeof *tally->part_of);
  tally->headed = malloc(tally->count * sizeof *tally->headed);
  if (tally->part_of == NULL || tally->headed == NULL || !count_messages(tally)) {
    call_fail(&read->call, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "out of memory for what was read");
    return;
  }
  size_t size = columns_size(tally) + tally->body + tally->rest;
  if (size > INT32_MAX) {
    call_fail(&read->call, RD_KAFKA_RESP_ERR__FAIL, "more than 2 GiB were read at once: lower queued.max.messages.kbytes");
    return;
  }
  uint8_t *packed = malloc(size);
  if (packed == NULL) {
    call_fail(&read->call, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "out of memory for what was read");
    return;
  }
  columns columns = columns_at(packed, tally);
  put_all(&columns, tally);
  read->packed = packed;
  read->size = size;
}

static void read_run(call *call) {
  read_call *read = (read_call *)call;
  client *client = call->client;
  if (client->queue == NULL) client->queue = kafka.queue_get_consumer(client->kafka);
  if (client->queue == NULL) return call_fail(call, RD_KAFKA_RESP_ERR__UNKNOWN_GROUP, "the consumer has no queue to read from");
  tally tally = {.messages = malloc(read->max * sizeof(rd_kafka_message_t *))};
  if (tally.messages == NULL) return call_fail(call, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "out of memory for a read");
  tally.count = take_messages(read, tally.messages);
  if (tally.count > 0) pack(read, &tally);
  for (int i = 0; i < tally.count; i++) kafka.message_destroy(tally.messages[i]);
  free(tally.messages);
  free(tally.part_of);
  free(tally.headed);
  free(tally.parts);
}

static void free_packed(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  free(data);
}

/* The packed buffer itself becomes the ArrayBuffer; where Node forbids that, a copy. */
static napi_value read_result(napi_env env, call *call) {
  read_call *read = (read_call *)call;
  napi_value buffer = NULL;
  void *copy;
  if (read->packed == NULL) return NULL;
  napi_status status = napi_create_external_arraybuffer(env, read->packed, read->size, free_packed, NULL, &buffer);
  if (status == napi_ok) {
    read->packed = NULL;
    return buffer;
  }
  if (status != napi_no_external_buffers_allowed || napi_create_arraybuffer(env, read->size, &copy, &buffer) != napi_ok) return NULL;
  memcpy(copy, read->packed, read->size);
  return buffer;
}

static void read_dispose(call *call) { free(((read_call *)call)->packed); }

/* --------------------------------------------------------------------------------------------------- 7. produce */

/* A record's fields: what the Int32Array of produce holds for each. -1 as a length or header position is null. */
enum { TOPIC, PARTITION, KEY_SOURCE, KEY_POS, KEY_LEN, VALUE_SOURCE, VALUE_POS, VALUE_LEN, HEADER_SOURCE, HEADER_POS, STRIDE };

typedef struct {
  const uint8_t *bytes;
  size_t size;
} span;

typedef struct {
  call call;
  char **topics; /* names */
  uint32_t topic_count;
  int32_t count;
  int32_t *fields;    /* ours, checked: count * STRIDE */
  double *timestamps; /* ours, checked: count */
  span *sources;      /* the memory is JavaScript's */
  uint32_t source_count;
  int32_t *failed; /* the outcome: index and code of each record that was not queued */
  size_t failed_count;
} produce_call;

/*
 * Walks packed headers from a position; true when they are well-formed and lie inside the source. Adds them to `into`
 * unless that is NULL.
 */
static bool walk_headers(span source, int32_t position, rd_kafka_headers_t *into) {
  size_t at = (size_t)position;
  int32_t count, lengths[2];
  if (position < 0 || source.size < 4 || at > source.size - 4) return false;
  memcpy(&count, source.bytes + at, 4);
  at += 4;
  if (count < 0) return false;
  for (int32_t i = 0; i < count; i++) {
    if (source.size - at < 8) return false;
    memcpy(lengths, source.bytes + at, 8);
    at += 8;
    if (lengths[0] < 0 || lengths[1] < -1) return false;
    size_t name = (size_t)lengths[0], value = lengths[1] < 0 ? 0 : (size_t)lengths[1];
    if (source.size - at < name || source.size - at - name < value) return false;
    const char *bytes = (const char *)source.bytes + at;
    if (into != NULL) kafka.header_add(into, name == 0 ? "" : bytes, (ssize_t)name, lengths[1] < 0 ? NULL : bytes + name, (ssize_t)value);
    at += name + value;
  }
  return true;
}

/* Whether a stretch of bytes is null or lies inside its source. */
static bool is_inside(const produce_call *produce, int32_t source, int32_t position, int32_t length) {
  if (length == -1) return true;
  if (length < 0 || position < 0 || source < 0 || (uint32_t)source >= produce->source_count) return false;
  size_t size = produce->sources[source].size;
  return (size_t)position <= size && (size_t)length <= size - (size_t)position;
}

/* What is wrong with a record; NULL when nothing is. */
static const char *record_fault(const produce_call *produce, int32_t index) {
  const int32_t *field = produce->fields + (size_t)index * STRIDE;
  double timestamp = produce->timestamps[index];
  if (field[TOPIC] < 0 || (uint32_t)field[TOPIC] >= produce->topic_count) return "its topic is not in the list";
  if (field[PARTITION] < -1) return "its partition is below -1";
  if (!is_inside(produce, field[KEY_SOURCE], field[KEY_POS], field[KEY_LEN])) return "its key lies outside of its source";
  if (!is_inside(produce, field[VALUE_SOURCE], field[VALUE_POS], field[VALUE_LEN])) return "its value lies outside of its source";
  if (!(timestamp >= -1 && timestamp <= 9007199254740991.0)) return "its timestamp is not a time in milliseconds";
  if (field[HEADER_POS] == -1) return NULL;
  if (field[HEADER_SOURCE] < 0 || (uint32_t)field[HEADER_SOURCE] >= produce->source_count) return "its headers have no source";
  if (!walk_headers(produce->sources[field[HEADER_SOURCE]], field[HEADER_POS], NULL)) return "its headers are malformed";
  return NULL;
}

/* The client's topic of a name, made when it is new; NULL with a code when librdkafka refuses it. */
static rd_kafka_topic_t *topic_of(client *client, const char *name, rd_kafka_resp_err_t *error) {
  uint32_t hash = 2166136261u;
  for (const char *at = name; *at != '\0'; at++) hash = (hash ^ (uint8_t)*at) * 16777619u;
  topic **bucket = &client->topics[hash % TOPIC_BUCKETS];
  for (topic *each = *bucket; each != NULL; each = each->next) {
    if (strcmp(each->name, name) == 0) return each->handle;
  }
  size_t size = strlen(name) + 1;
  topic *made = malloc(sizeof *made + size);
  *error = RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE;
  if (made == NULL) return NULL;
  made->handle = kafka.topic_new(client->kafka, name, NULL);
  if (made->handle == NULL) {
    *error = kafka.last_error();
    free(made);
    return NULL;
  }
  memcpy(made->name, name, size);
  made->next = *bucket;
  *bucket = made;
  return made->handle;
}

/* Bytes for librdkafka: NULL is null to it, so none at all must have an address. */
static void *bytes_of(const produce_call *produce, int32_t source, int32_t position, int32_t length) {
  if (length < 0) return NULL;
  return length == 0 ? (void *)"" : (void *)(produce->sources[source].bytes + position);
}

/*
 * Queues one record; waits while the queue is full. The bytes are copied. librdkafka takes a time of 0 for "now": that
 * is what our -1 becomes, and the epoch itself is sent as 1 ms.
 */
static rd_kafka_resp_err_t produce_one(produce_call *produce, int32_t index, rd_kafka_topic_t *topic) {
  client *client = produce->call.client;
  const int32_t *field = produce->fields + (size_t)index * STRIDE;
  int64_t given = (int64_t)produce->timestamps[index], timestamp = given == -1 ? 0 : given == 0 ? 1 : given;
  size_t key_size = field[KEY_LEN] < 0 ? 0 : (size_t)field[KEY_LEN], value_size = field[VALUE_LEN] < 0 ? 0 : (size_t)field[VALUE_LEN];
  void *key = bytes_of(produce, field[KEY_SOURCE], field[KEY_POS], field[KEY_LEN]);
  void *value = bytes_of(produce, field[VALUE_SOURCE], field[VALUE_POS], field[VALUE_LEN]);
  rd_kafka_headers_t *headers = NULL;
  if (field[HEADER_POS] >= 0) {
    headers = kafka.headers_new(4);
    if (!walk_headers(produce->sources[field[HEADER_SOURCE]], field[HEADER_POS], headers)) { /* changed meanwhile */
      kafka.headers_destroy(headers);
      return RD_KAFKA_RESP_ERR__INVALID_ARG;
    }
  }
  rd_kafka_resp_err_t error;
  while (true) {
    error = kafka.producev(client->kafka, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(field[PARTITION]),
                           RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                           RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE(value, value_size),
                           RD_KAFKA_V_TIMESTAMP(timestamp), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) break;
    kafka.poll(client->kafka, FULL_POLL_MS); /* delivery reports make room */
    if (client->closing) break;
  }
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR && headers != NULL) kafka.headers_destroy(headers);
  return error;
}

/* Notes a record that was not queued; there is room for each. */
static void note_failed(produce_call *produce, int32_t index, rd_kafka_resp_err_t error) {
  produce->failed[produce->failed_count++] = index;
  produce->failed[produce->failed_count++] = error;
}

static void produce_run(call *call) {
  produce_call *produce = (produce_call *)call;
  for (int32_t i = 0; i < produce->count; i++) {
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__DESTROY;
    if (!call->client->closing) {
      rd_kafka_topic_t *topic = topic_of(call->client, produce->topics[produce->fields[(size_t)i * STRIDE + TOPIC]], &error);
      if (topic != NULL) error = produce_one(produce, i, topic);
    }
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) note_failed(produce, i, error);
  }
}

static void produce_given_up(call *call) {
  produce_call *produce = (produce_call *)call;
  for (int32_t i = 0; i < produce->count; i++) note_failed(produce, i, RD_KAFKA_RESP_ERR__DESTROY);
}

static napi_value produce_result(napi_env env, call *call) {
  produce_call *produce = (produce_call *)call;
  size_t size = produce->failed_count * sizeof(int32_t);
  void *data;
  napi_value buffer, array = NULL;
  if (size == 0 || napi_create_arraybuffer(env, size, &data, &buffer) != napi_ok) return NULL;
  memcpy(data, produce->failed, size);
  napi_create_typedarray(env, napi_int32_array, produce->failed_count, buffer, 0, &array);
  return array;
}

static void produce_dispose(call *call) {
  produce_call *produce = (produce_call *)call;
  free(produce->topics);
  free(produce->fields);
  free(produce->timestamps);
  free(produce->sources);
  free(produce->failed);
}

/*
 * The sources themselves, with room for the handle before them; NULL with an error thrown. An array's elements can be
 * code that runs when they are asked for, so addresses are taken when all are at hand, and the elements are kept.
 */
static napi_value *sources_of(napi_env env, napi_value value, uint32_t *count) {
  bool is_array = false;
  if (napi_is_array(env, value, &is_array) != napi_ok || !is_array) {
    throw_kind(env, "sources must be an array of Uint8Array");
    return NULL;
  }
  napi_get_array_length(env, value, count);
  napi_value *sources = malloc(((size_t)*count + 1) * sizeof *sources);
  if (sources == NULL) {
    out_of_memory(env);
    return NULL;
  }
  for (uint32_t i = 0; i < *count; i++) {
    if (napi_get_element(env, value, i, &sources[i + 1]) == napi_ok) continue;
    free(sources);
    return NULL; /* it threw */
  }
  return sources;
}

/* Takes the sources' addresses; false with an error thrown. */
static bool take_sources(napi_env env, const napi_value *sources, uint32_t count, produce_call *produce) {
  produce->source_count = count;
  produce->sources = malloc(count * sizeof *produce->sources + 1);
  if (produce->sources == NULL) return out_of_memory(env), false;
  for (uint32_t i = 0; i < count; i++) {
    void *bytes;
    size_t size;
    if (!typed_array_of(env, sources[i], napi_uint8_array, &bytes, &size)) {
      return throw_kind(env, "sources must be an array of Uint8Array"), false;
    }
    produce->sources[i] = (span){bytes, size};
  }
  return true;
}

/* Takes copies of fields and timestamps, so that what was checked is what is used; false with an error thrown. */
static bool take_records(napi_env env, napi_value fields, napi_value timestamps, produce_call *produce) {
  void *data[2];
  size_t length[2], count = (size_t)produce->count;
  if (!typed_array_of(env, fields, napi_int32_array, &data[0], &length[0])) return throw_kind(env, "fields must be an Int32Array"), false;
  if (!typed_array_of(env, timestamps, napi_float64_array, &data[1], &length[1])) {
    return throw_kind(env, "timestamps must be a Float64Array"), false;
  }
  if (length[0] < count * STRIDE || length[1] < count) return throw_range(env, "fields or timestamps are shorter than count"), false;
  produce->fields = malloc(count * STRIDE * sizeof(int32_t) + 1);
  produce->timestamps = malloc(count * sizeof(double) + 1);
  produce->failed = malloc(count * 2 * sizeof(int32_t) + 1);
  if (produce->fields == NULL || produce->timestamps == NULL || produce->failed == NULL) return out_of_memory(env), false;
  if (count == 0) return true;
  memcpy(produce->fields, data[0], count * STRIDE * sizeof(int32_t));
  memcpy(produce->timestamps, data[1], count * sizeof(double));
  for (int32_t i = 0; i < produce->count; i++) {
    const char *fault = record_fault(produce, i);
    if (fault != NULL) return throw_range(env, "record %d: %s", i, fault), false;
  }
  return true;
}

/* ---------------------------------------------------------------------------------------------- 8. topicConfigs */

typedef struct {
  call call;
  char **topics;
  uint32_t topic_count;
  int32_t timeout_ms;
  char *found; /* the outcome: for each topic its name, then names and values of its settings, then an empty name */
  size_t size, room;
  bool short_of_memory;
} configs_call;

static void put_text(configs_call *configs, const char *text) {
  size_t size = strlen(text) + 1;
  if (configs->size + size > configs->room) {
    size_t room = (configs->size + size) * 2;
    char *larger = realloc(configs->found, room);
    if (larger == NULL) {
      configs->short_of_memory = true;
      return;
    }
    configs->found = larger;
    configs->room = room;
  }
  memcpy(configs->found + configs->size, text, size);
  configs->size += size;
}

/* Takes over what the broker said of each topic; the first error fails the call. Null values are left out. */
static void take_configs(configs_call *configs, const rd_kafka_DescribeConfigs_result_t *result) {
  size_t count, entries;
  const rd_kafka_ConfigResource_t **resources = kafka.DescribeConfigs_result_resources(result, &count);
  for (size_t i = 0; i < count; i++) {
    rd_kafka_resp_err_t error = kafka.ConfigResource_error(resources[i]);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char *said = kafka.ConfigResource_error_string(resources[i]);
      char text[TEXT_SIZE];
      snprintf(text, sizeof text, "%s: %s", kafka.ConfigResource_name(resources[i]), said != NULL ? said : kafka.err2str(error));
      return call_fail(&configs->call, error, text);
    }
    put_text(configs, kafka.ConfigResource_name(resources[i]));
    const rd_kafka_ConfigEntry_t **entry = kafka.ConfigResource_configs(resources[i], &entries);
    for (size_t j = 0; j < entries; j++) {
      const char *value = kafka.ConfigEntry_value(entry[j]);
      if (value == NULL) continue;
      put_text(configs, kafka.ConfigEntry_name(entry[j]));
      put_text(configs, value);
    }
    put_text(configs, "");
  }
  if (configs->short_of_memory) call_fail(&configs->call, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "out of memory");
}

static void configs_given_up(call *call) { call_fail(call, RD_KAFKA_RESP_ERR__DESTROY, NULL); }

/* Asks on a queue of its own, and waits in slices: the client may be given up meanwhile. */
static void configs_run(call *call) {
  configs_call *configs = (configs_call *)call;
  rd_kafka_t *rk = call->client->kafka;
  if (configs->topic_count == 0) return;
  rd_kafka_ConfigResource_t **resources = malloc(configs->topic_count * sizeof *resources + 1);
  if (resources == NULL) return call_fail(call, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "out of memory");
  for (uint32_t i = 0; i < configs->topic_count; i++) resources[i] = kafka.ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, configs->topics[i]);
  rd_kafka_AdminOptions_t *options = kafka.AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
  rd_kafka_queue_t *queue = kafka.queue_new(rk);
  kafka.AdminOptions_set_request_timeout(options, configs->timeout_ms, NULL, 0);
  kafka.DescribeConfigs(rk, resources, configs->topic_count, options, queue);

  rd_kafka_event_t *event = NULL;
  while (event == NULL && !call->client->closing) event = kafka.queue_poll(queue, WAIT_SLICE_MS);
  if (event == NULL) call_fail(call, RD_KAFKA_RESP_ERR__DESTROY, NULL);
  else if (kafka.event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) call_fail(call, kafka.event_error(event), kafka.event_error_string(event));
  else take_configs(configs, kafka.event_DescribeConfigs_result(event));

  if (event != NULL) kafka.event_destroy(event);
  kafka.queue_destroy(queue);
  kafka.AdminOptions_destroy(options);
  kafka.ConfigResource_destroy_array(resources, configs->topic_count);
  free(resources);
}

/* { topic: { setting: value } } */
static napi_value configs_result(napi_env env, call *call) {
  configs_call *configs = (configs_call *)call;
  napi_value all, topic, value;
  if (napi_create_object(env, &all) != napi_ok) return NULL;
  for (const char *at = configs->found, *end = at + configs->size; at < end; at++) {
    if (napi_create_object(env, &topic) != napi_ok || napi_set_named_property(env, all, at, topic) != napi_ok) return NULL;
    for (at += strlen(at) + 1; *at != '\0';) {
      const char *name = at;
      at += strlen(at) + 1;
      if (napi_create_string_utf8(env, at, NAPI_AUTO_LENGTH, &value) != napi_ok) return NULL;
      if (napi_set_named_property(env, topic, name, value) != napi_ok) return NULL;
      at += strlen(at) + 1;
    }
  }
  return all;
}

static void configs_dispose(call *call) {
  free(((configs_call *)call)->topics);
  free(((configs_call *)call)->found);
}

/* --------------------------------------------------------------------------------------------------- 9. handles */

/* One Node environment (the main thread, a worker) that loaded the addon; lives until its last handle is gone. */
typedef struct environment {
  client *handles;
  int users; /* the environment itself and each handle */
} environment;

static void environment_drop(environment *environment) {
  if (--environment->users == 0) free(environment);
}

/* The environment ends: waiting calls are cut short, and no call begins. */
static void on_environment_end(void *data) {
  environment *environment = data;
  for (client *each = environment->handles; each != NULL; each = each->sibling) client_close(each);
  environment_drop(environment);
}

/* The handle is garbage, or its environment has ended; no call is in flight, as each keeps its handle. */
static void on_handle_garbage(napi_env env, void *data, void *hint) {
  (void)env, (void)hint;
  client *client = data;
  for (struct client **link = &client->environment->handles; *link != NULL; link = &(*link)->sibling) {
    if (*link != client) continue;
    *link = client->sibling;
    break;
  }
  client_close(client);
  environment_drop(client->environment);
  client_drop(client);
}

/* The client behind a handle; NULL with an error thrown for other values and after detach. */
static client *handle_of(napi_env env, environment *environment, napi_value value) {
  void *data = NULL;
  napi_valuetype type;
  client *found = NULL;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_external && napi_get_value_external(env, value, &data) == napi_ok) {
    for (found = environment->handles; found != NULL && found != data;) found = found->sibling;
  }
  if (found == NULL) return throw_kind(env, "this is not a handle of the packed addon"), NULL;
  if (found->detached) return throw_code(env, RD_KAFKA_RESP_ERR__STATE, "the handle was detached"), NULL;
  return found;
}

/* As handle_of, for a client of one type that is alive and does not yet do what `busy` tells of. */
static client *idle_handle_of(napi_env env, environment *environment, napi_value value, rd_kafka_type_t type, bool *(*busy)(client *)) {
  client *client = handle_of(env, environment, value);
  if (client == NULL) return NULL;
  if (!client_enter(client)) return throw_code(env, RD_KAFKA_RESP_ERR__STATE, "the client of this handle was disconnected"), NULL;
  bool fits = kafka.type(client->kafka) == type;
  client_leave(client);
  if (!fits) return throw_kind(env, type == RD_KAFKA_CONSUMER ? "read needs a consumer's handle" : "produce needs a producer's handle"), NULL;
  if (*busy(client)) {
    const char *what = type == RD_KAFKA_CONSUMER ? "read" : "produce";
    return throw_code(env, RD_KAFKA_RESP_ERR__CONFLICT, "another %s is under way on this handle", what), NULL;
  }
  return client;
}

static bool *reading_of(client *client) { return &client->reading; }
static bool *producing_of(client *client) { return &client->producing; }

/* Fills the table; false with an error thrown. Under the registry's lock. */
static bool take_functions(napi_env env, void *library, const char *file) {
  __typeof__(kafka) found;
#define TAKE(name)                                                                                                     \
  found.name = (__typeof__(found.name))dlsym(library, "rd_kafka_" #name);                                              \
  if (found.name == NULL) return throw_code(env, RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, "%s has no rd_kafka_" #name, file), false;
  FUNCTIONS(TAKE)
#undef TAKE
  if (kafka.version_str != NULL) {
    if (kafka.version_str == found.version_str) return true;
    return throw_code(env, RD_KAFKA_RESP_ERR__CONFLICT, "a second librdkafka is in this process: the addon works with %s", kafka.version_str()), false;
  }
  char features[TEXT_SIZE] = "";
  size_t size = sizeof features;
  rd_kafka_conf_t *conf = found.conf_new();
  found.conf_get(conf, "builtin.features", features, &size);
  found.conf_destroy(conf);
  if (strstr(features, "plugins") == NULL) {
    return throw_code(env, RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, "librdkafka %s was built without plugins", found.version_str()), false;
  }
  kafka = found;
  return true;
}

/* load(stockNodeFile): librdkafka's version. The stock client must have been required before; it stays loaded. */
static napi_value load(napi_env env, napi_callback_info info) {
  napi_value argument, version = NULL;
  arguments_of(env, info, 1, &argument);
  char *file = string_of(env, argument, "stockNodeFile");
  if (file == NULL) return NULL;
  void *library = dlopen(file, RTLD_LAZY | RTLD_NOLOAD);
  if (library == NULL) {
    throw_code(env, RD_KAFKA_RESP_ERR__STATE, "%s is not loaded: require the stock client first", file);
  } else {
    pthread_mutex_lock(&registry.lock);
    bool taken = take_functions(env, library, file);
    pthread_mutex_unlock(&registry.lock);
    if (taken) napi_create_string_utf8(env, kafka.version_str(), NAPI_AUTO_LENGTH, &version);
    else dlclose(library);
  }
  free(file);
  return version;
}

/* Claims the one client of a token for a handle; gives what is wrong, or NULL. */
static const char *claim(const char *token, client **claimed) {
  const char *fault = NULL;
  client *found = NULL;
  pthread_mutex_lock(&registry.lock);
  for (client *each = registry.first; each != NULL; each = each->next) {
    if (strcmp(each->token, token) != 0) continue;
    if (found != NULL) fault = "is the token of two clients";
    found = each;
  }
  if (found == NULL) fault = "is the token of no client that is alive";
  else if (fault == NULL && found->attached) fault = "was attached before";
  if (fault == NULL) {
    found->attached = true;
    client_keep(found);
    *claimed = found;
  }
  pthread_mutex_unlock(&registry.lock);
  return fault;
}

/* attach(token): a handle on the consumer or producer with this token, once and for all. */
static napi_value attach(napi_env env, napi_callback_info info) {
  napi_value argument, handle = NULL;
  environment *environment = arguments_of(env, info, 1, &argument);
  char *token = string_of(env, argument, "token");
  if (token == NULL) return NULL;
  client *client = NULL;
  const char *fault = claim(token, &client);
  if (fault != NULL) throw_code(env, RD_KAFKA_RESP_ERR__STATE, "%s %s", token, fault);
  free(token);
  if (fault != NULL) return NULL;
  if (napi_create_external(env, client, on_handle_garbage, NULL, &handle) != napi_ok) {
    client_drop(client);
    return throw_code(env, RD_KAFKA_RESP_ERR__FAIL, "the handle could not be made");
  }
  client->environment = environment;
  client->sibling = environment->handles;
  environment->handles = client;
  environment->users++;
  return handle;
}

/* detach(handle): resolves when no call is in flight. Cuts waiting calls short; what they have, they still give. */
static napi_value detach(napi_env env, napi_callback_info info) {
  napi_value argument, promise;
  napi_deferred deferred;
  environment *environment = arguments_of(env, info, 1, &argument);
  client *client = handle_of(env, environment, argument);
  if (client == NULL) return NULL;
  if (napi_create_promise(env, &deferred, &promise) != napi_ok) return NULL;
  client->detached = true;
  client_close(client);
  if (client->pending > 0) client->detaching = deferred;
  else resolve_undefined(env, deferred);
  return promise;
}

/* read(handle, max, timeoutMs): the packed records and events that came, undefined when none did. */
static napi_value read_packed(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  int32_t max, timeout_ms;
  environment *environment = arguments_of(env, info, 3, arguments);
  client *client = idle_handle_of(env, environment, arguments[0], RD_KAFKA_CONSUMER, reading_of);
  if (client == NULL) return NULL;
  if (!integer_of(env, arguments[1], "max", 1, READ_MAX, &max)) return NULL;
  if (!integer_of(env, arguments[2], "timeoutMs", 0, INT32_MAX, &timeout_ms)) return NULL;
  read_call *read = calloc(1, sizeof *read);
  if (read == NULL) return out_of_memory(env);
  read->call = (call){.client = client, .busy = &client->reading, .run = read_run, .result = read_result, .dispose = read_dispose};
  read->max = max;
  read->timeout_ms = timeout_ms;
  return call_start(env, &read->call, arguments, 1);
}

/* Reads and checks all arguments of produce; false with an error thrown. The handle comes last: reading may run code. */
static bool take_arguments(napi_env env, environment *environment, napi_value *arguments, napi_value *sources, uint32_t source_count,
                           produce_call *produce) {
  produce->topics = strings_of(env, arguments[1], "topics", &produce->topic_count);
  if (produce->topics == NULL || !integer_of(env, arguments[2], "count", 0, INT32_MAX / STRIDE / 4, &produce->count)) return false;
  if (!take_sources(env, sources, source_count, produce)) return false;
  if (!take_records(env, arguments[3], arguments[4], produce)) return false;
  client *client = idle_handle_of(env, environment, arguments[0], RD_KAFKA_PRODUCER, producing_of);
  if (client == NULL) return false;
  produce->call.client = client;
  produce->call.busy = &client->producing;
  return true;
}

/* produce(handle, topics, count, fields, timestamps, sources): everything is checked before anything is queued. */
static napi_value produce_packed(napi_env env, napi_callback_info info) {
  napi_value arguments[6], promise = NULL;
  uint32_t source_count;
  environment *environment = arguments_of(env, info, 6, arguments);
  napi_value *sources = sources_of(env, arguments[5], &source_count);
  if (sources == NULL) return NULL;
  produce_call *produce = calloc(1, sizeof *produce);
  if (produce == NULL) {
    free(sources);
    return out_of_memory(env);
  }
  produce->call = (call){.run = produce_run, .given_up = produce_given_up, .result = produce_result, .dispose = produce_dispose};
  if (take_arguments(env, environment, arguments, sources + 1, source_count, produce)) {
    sources[0] = arguments[0];
    promise = call_start(env, &produce->call, sources, (size_t)source_count + 1);
  } else {
    produce_dispose(&produce->call);
    free(produce);
  }
  free(sources);
  return promise;
}

/* topicConfigs(handle, topics, timeoutMs): the settings of topics; any number of calls may be in flight. */
static napi_value topic_configs(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  environment *environment = arguments_of(env, info, 3, arguments);
  configs_call *configs = calloc(1, sizeof *configs);
  if (configs == NULL) return out_of_memory(env);
  configs->call = (call){.run = configs_run, .given_up = configs_given_up, .result = configs_result, .dispose = configs_dispose};
  configs->topics = strings_of(env, arguments[1], "topics", &configs->topic_count);
  if (configs->topics != NULL && integer_of(env, arguments[2], "timeoutMs", 1, 3600000, &configs->timeout_ms)) {
    configs->call.client = handle_of(env, environment, arguments[0]);
  }
  if (configs->call.client != NULL) return call_start(env, &configs->call, arguments, 1);
  configs_dispose(&configs->call);
  free(configs);
  return NULL;
}

/* The addon's entry, once for each environment. */
NAPI_MODULE_INIT() {
  environment *made = calloc(1, sizeof *made);
  if (made == NULL) return out_of_memory(env);
  made->users = 1;
  napi_add_env_cleanup_hook(env, on_environment_end, made);
  const struct {
    const char *name;
    napi_callback function;
  } members[] = {{"load", load},         {"attach", attach},          {"detach", detach},
                 {"read", read_packed},  {"produce", produce_packed}, {"topicConfigs", topic_configs}};
  for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
    napi_value function;
    if (napi_create_function(env, members[i].name, NAPI_AUTO_LENGTH, members[i].function, made, &function) != napi_ok) return NULL;
    napi_set_named_property(env, exports, members[i].name, function);
  }
  return exports;
}
