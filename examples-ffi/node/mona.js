// Mona's client for Node.js, over libmona by way of koffi.
//
// Nothing here blocks the event loop: libmona does the waiting in threads of its own, and a socket tells the loop when an answer
// is there.

import koffi from 'koffi';
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

const ABI_VERSION = 0;
const OK = 0;

// The library that MONA_LIBRARY names, or else the system's.
const library = koffi.load(process.env.MONA_LIBRARY || 'libmona.so.0');

// No type has a name, because koffi knows each name once, and this file may be loaded twice.
const out = (type) => koffi.out(koffi.pointer(type));
const CLIENT = koffi.pointer(koffi.opaque());
const JSON_OUT = out(koffi.disposable('str', library.func('mona_string_free', 'void', ['void *'])));
const PAYLOAD = ['const uint8_t *', 'int64_t'];

const mona = {
  abiVersion: library.func('mona_abi_version', 'uint32_t', []),
  statusName: library.func('mona_status_name', 'str', ['int32_t']),
  clientNew: library.func('mona_client_new', 'int32_t', ['str', out(CLIENT), JSON_OUT]),
  isActive: library.func('mona_client_is_active', 'int32_t', [CLIENT]),
  close: library.func('mona_client_close', 'int32_t', [CLIENT, 'int64_t', JSON_OUT]),
  free: library.func('mona_client_free', 'void', [CLIENT]),
  enqueue: library.func('mona_enqueue_json', 'int32_t', [CLIENT, ...PAYLOAD, 'str', JSON_OUT]),
  flush: library.func('mona_flush', 'int32_t', [CLIENT, 'int64_t', JSON_OUT]),
  stats: library.func('mona_stats_json', 'int32_t', [CLIENT, JSON_OUT]),
  exportAsync: library.func('mona_export_json_async', 'int32_t', [CLIENT, ...PAYLOAD, 'str', 'uint64_t', JSON_OUT]),
  serviceAsync: library.func('mona_service_call_async', 'int32_t', [CLIENT, 'str', ...PAYLOAD, 'str', 'uint64_t', JSON_OUT]),
  poll: library.func('mona_poll', 'int32_t', [CLIENT, 'int64_t', out('uint64_t'), JSON_OUT]),
  eventFd: library.func('mona_event_fd', 'int32_t', [CLIENT]),
};
if (mona.abiVersion() !== ABI_VERSION) throw new Error(`libmona's ABI is not ${ABI_VERSION}`);

const fcntl = koffi.load(null).func('int fcntl(int fd, int command, ...)');
const F_DUPFD_CLOEXEC = process.platform === 'darwin' ? 67 : 1030;

/** A call that failed: a negative status of libmona. `code` is its name, such as 'MONA_ERROR_CLOSED'. */
export class MonaError extends Error {
  constructor(document) {
    super(document.error_message);
    this.name = 'MonaError';
    this.code = mona.statusName(document.status);
    this.status = document.status;
    this.kind = document.error_kind;
    this.retriable = document.retriable;
    this.document = document;
  }
}

/** What a call returned. `json`, its text, has all digits of large numbers; `status` is what the C function returned. */
function documentOf(json, status) {
  const document = JSON.parse(json);
  Object.defineProperties(document, { json: { value: json }, status: { value: status ?? document.status } });
  if (document.status < 0) throw new MonaError(document);
  return document;
}

/** Calls a function whose last argument is out_json. */
function call(f, ...args) {
  const out = [null];
  const status = f(...args, out);
  return documentOf(out[0], status);
}

/** The same in a thread of Node's pool, for what may wait and has no event. */
function callInPool(f, ...args) {
  const out = [null];
  return new Promise((resolve, reject) => {
    f.async(...args, out, (error, status) => (error ? reject(error) : resolve(status)));
  }).then((status) => documentOf(out[0], status));
}

const text = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

/** The same as a `str` for koffi, which C would read up to its first NUL. */
function terminated(name, value) {
  const string = text(value);
  if (string?.includes('\0')) throw new TypeError(`${name} must not contain NUL`);
  return string;
}

const optional = (value) => (value == null ? null : terminated('options', value));

/** A payload and its size. The NUL behind it is there because koffi takes an empty buffer for NULL. */
function sized(value) {
  const payload = Buffer.from(`${text(value)}\0`);
  return [payload, payload.length - 1];
}

/** For C, to which a negative time has no end; here only undefined, null and Infinity have none. */
function milliseconds(timeout) {
  if (timeout == null || timeout === Infinity) return -1;
  if (typeof timeout !== 'number' || Number.isNaN(timeout)) {
    throw new TypeError(`a time-out must be a number of milliseconds, not ${inspect(timeout)}`);
  }
  return Math.trunc(Math.max(0, Math.min(timeout, Number.MAX_SAFE_INTEGER)));
}

/** A mona_client, its calls under way, and the socket that tells of their ends. */
class Handle {
  constructor(client) {
    this.client = client;
    this.waiting = new Map();
    this.tag = 0;
  }

  /** Starts a call; the promise of what its event says. The owner is not collected before that. */
  start(owner, f, ...args) {
    const tag = ++this.tag;
    this.socket ??= this.#listen();
    call(f, this.client, ...args, tag);
    return new Promise((resolve, reject) => {
      this.waiting.set(tag, { owner, resolve, reject });
      this.socket.ref();
    });
  }

  #listen() {
    // Node closes its socket's descriptor, and libmona its own: so each gets one.
    const fd = fcntl(mona.eventFd(this.client), F_DUPFD_CLOEXEC, 'int', 0);
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('data', () => this.#collect());
    return socket.unref();
  }

  #collect() {
    const tag = [0];
    const out = [null];
    while (mona.poll(this.client, 0, tag, out) === OK) {
      const call = this.waiting.get(tag[0]);
      this.waiting.delete(tag[0]);
      try {
        call?.resolve(documentOf(out[0]));
      } catch (error) {
        call.reject(error);
      }
    }
    // Nothing under way keeps the program from ending.
    if (this.waiting.size === 0) this.socket.unref();
  }

  /** Freeing may take a moment, since it delivers what is still enqueued: a thread of the pool does it. */
  free() {
    this.socket?.destroy();
    mona.free.async(this.client, () => {});
  }
}

const collected = new FinalizationRegistry((handle) => handle.free());

/** A client of one Mona account. Messages, arguments and options are values, or strings of JSON. */
export class Client {
  #handle;

  /** Makes a client and logs in. The configuration's keys are those of docs/configuration.md. */
  static async create(config = {}) {
    const client = [null];
    const document = await callInPool(mona.clientNew, terminated('config', config), client);
    return new Client(client[0], document);
  }

  /** For `create` alone. */
  constructor(client, document) {
    /** What `create` found: a login that failed, for example. */
    this.document = document;
    this.#handle = new Handle(client);
    collected.register(this, this.#handle);
  }

  get isActive() {
    return mona.isActive(this.#handle.client) === 1;
  }

  /** Sends messages; the promise of the document that accounts for each of them. */
  async export(messages, options) {
    return this.#handle.start(this, mona.exportAsync, ...sized(messages), optional(options));
  }

  /** Calls a service (docs/services.md). */
  async service(name, args = {}, options) {
    return this.#handle.start(this, mona.serviceAsync, terminated('service', name), ...sized(args), optional(options));
  }

  /** Accepts messages at once; libmona delivers them. */
  enqueue(messages, options) {
    return call(mona.enqueue, this.#handle.client, ...sized(messages), optional(options));
  }

  /** Settled when all that was enqueued is; false when the time (in milliseconds) was up first. Without one there is no end. */
  async flush(timeout) {
    const time = milliseconds(timeout);
    const end = time < 0 ? Infinity : performance.now() + time;
    const before = this.stats();
    // This ends the lingering. Waiting in C would hold a thread of the pool, which has four.
    call(mona.flush, this.#handle.client, 0);
    for (let pause = 1; ; pause = Math.min(2 * pause, 32)) {
      const now = this.stats();
      if (now.accepted - now.recovered - now.pending >= before.accepted - before.recovered) return true;
      const left = end - performance.now();
      // A closed client leaves alone what its spool keeps.
      if (left <= 0 || (now.state === 'closed' && now.in_memory + now.in_flight === 0)) return false;
      await sleep(Math.min(pause, left));
    }
  }

  /** Delivers what is enqueued, within so many milliseconds; later calls are rejected. */
  async close(timeout = 10_000) {
    const document = await callInPool(mona.close, this.#handle.client, milliseconds(timeout));
    // Until here this client is in use, and so is not collected.
    return this && document;
  }

  /** How the background delivery is going: docs/statistics.md. */
  stats() {
    return call(mona.stats, this.#handle.client);
  }
}
