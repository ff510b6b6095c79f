/* Plays a second client in the process: it brings a librdkafka of its own and configures it with the plugin. */
#define NAPI_VERSION 8
#include <dlfcn.h>
#include <node_api.h>
#include <rdkafka.h>

/* configure(librdkafkaFile, pluginFile): what that librdkafka says when it loads the plugin; empty when it does. */
static napi_value configure(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result;
  size_t count = 2, size;
  char files[2][4096], text[512] = "";
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  for (int i = 0; i < 2; i++) napi_get_value_string_utf8(env, arguments[i], files[i], sizeof files[i], &size);
  void *library = dlopen(files[0], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    napi_throw_error(env, NULL, dlerror());
    return NULL;
  }
  __typeof__(&rd_kafka_conf_new) conf_new = (__typeof__(conf_new))dlsym(library, "rd_kafka_conf_new");
  __typeof__(&rd_kafka_conf_set) conf_set = (__typeof__(conf_set))dlsym(library, "rd_kafka_conf_set");
  __typeof__(&rd_kafka_conf_destroy) conf_destroy = (__typeof__(conf_destroy))dlsym(library, "rd_kafka_conf_destroy");
  rd_kafka_conf_t *conf = conf_new();
  if (conf_set(conf, "plugin.library.paths", files[1], text, sizeof text) == RD_KAFKA_CONF_OK) text[0] = '\0';
  conf_destroy(conf);
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "configure", NAPI_AUTO_LENGTH, configure, NULL, &function);
  napi_set_named_property(env, exports, "configure", function);
  return exports;
}
