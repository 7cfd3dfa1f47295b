# Mona's client for Ruby, over libmona by way of fiddle, which comes with Ruby.
#
# fiddle gives Ruby's lock back while a C function runs, so that other threads go on. In a Fiber scheduler, export and service
# let other fibers go on too.

require "fiddle"
require "io/wait"
require "json"

module Mona
  # A call that failed: a negative status of libmona.
  class Error < StandardError
    attr_reader :document

    def initialize(document)
      @document = document
      super(document["error_message"])
    end

    def status = document.status
    def kind = document["error_kind"]
    def retriable? = document["retriable"]
  end

  InvalidArgumentError = Class.new(Error)
  InitializationError = Class.new(Error)
  AuthenticationError = Class.new(Error)
  ExportError = Class.new(Error)
  ServiceError = Class.new(Error)
  QueueFullError = Class.new(Error)
  ClosedError = Class.new(Error)
  InternalError = Class.new(Error)

  # What a call returned. +json+ is the text that it came as: numbers there have all their digits.
  class Document
    attr_reader :status, :json

    ERRORS = {
      -1 => InvalidArgumentError, -2 => InitializationError, -3 => AuthenticationError,
      -4 => ExportError, -5 => ServiceError, -6 => QueueFullError, -7 => ClosedError
    }.freeze

    def initialize(status, json)
      @status = status
      @json = json
    end

    def success? = self["success"]
    def to_h = @to_h ||= JSON.parse(json, max_nesting: false)
    def [](name) = to_h[name]

    def checked
      raise ERRORS.fetch(status, InternalError).new(self) if status.negative?

      self
    end
  end

  # The C functions.
  module Library
    ABI_VERSION = 0
    TIMEOUT = 2
    INT = Fiddle::TYPE_INT
    INT64 = Fiddle::TYPE_LONG_LONG
    TEXT = CLIENT = OUT = Fiddle::TYPE_VOIDP
    MESSAGES = [CLIENT, TEXT, INT64, TEXT].freeze
    SERVICE = [CLIENT, TEXT, TEXT, INT64, TEXT].freeze

    # The library that MONA_LIBRARY names, or else the system's.
    HANDLE = Fiddle.dlopen(ENV.fetch("MONA_LIBRARY", "libmona.so.0"))

    FUNCTIONS = {
      abi_version: [[], -INT],
      client_new: [[TEXT, OUT, OUT], INT],
      client_is_active: [[CLIENT], INT],
      client_close: [[CLIENT, INT64, OUT], INT],
      client_free: [[CLIENT], Fiddle::TYPE_VOID],
      export_json: [[*MESSAGES, OUT], INT],
      service_call: [[*SERVICE, OUT], INT],
      enqueue_json: [[*MESSAGES, OUT], INT],
      flush: [[CLIENT, INT64, OUT], INT],
      stats_json: [[CLIENT, OUT], INT],
      export_json_async: [[*MESSAGES, -INT64, OUT], INT],
      service_call_async: [[*SERVICE, -INT64, OUT], INT],
      poll: [[CLIENT, INT64, OUT, OUT], INT],
      event_fd: [[CLIENT], INT],
      string_free: [[TEXT], Fiddle::TYPE_VOID],
      before_fork: [[], INT],
      after_fork_parent: [[], INT],
      after_fork_child: [[], INT]
    }.to_h { |name, types| [name, Fiddle::Function.new(HANDLE["mona_#{name}"], *types)] }.freeze

    def self.[](name) = FUNCTIONS.fetch(name)

    # Timeout, Thread#raise and Thread#kill wait for the end of the block: what C gave would be lost between its return and its being
    # taken. They cannot end a C function in any case.
    def self.uninterrupted(&) = Thread.handle_interrupt(Object => :never, &)

    # Calls a function whose last argument is out_json.
    def self.call(name, *arguments)
      uninterrupted do
        out = place
        status = self[name].call(*arguments, out)
        Document.new(status, take(out))
      end
    end

    # Room for a pointer or a number of 64 bits, which the library fills.
    def self.place = "\0".b * 8
    def self.number(place) = place.unpack1("Q")

    # The text that the library gave away, which is freed.
    def self.take(out)
      text = Fiddle::Pointer.new(number(out))
      text.to_s.force_encoding(Encoding::UTF_8)
    ensure
      self[:string_free].call(text)
    end

    raise LoadError, "libmona's ABI is not #{ABI_VERSION}" if self[:abi_version].call != ABI_VERSION
  end

  # Tells the library of forks, so that none cuts a request in two.
  module Fork
    def _fork
      Library[:before_fork].call
      child = super
    ensure
      Library[child&.zero? ? :after_fork_child : :after_fork_parent].call
    end

    Process.singleton_class.prepend(self)
  end

  # A call under way.
  class Call
    def initialize
      @settled = Thread::Queue.new
    end

    # Waits for the Document; raises what the call would have raised.
    def value
      @settled.pop
      raise @answer if @answer.is_a?(Exception)

      @answer.checked
    end

    # A queue that is closed lets all go who wait, and those who come later.
    def settle(answer)
      @answer = answer
      @settled.close
    end
  end

  # A client of one Mona account. Any thread and any fiber may use it at any time, a forked child too.
  #
  # Messages, arguments and options are Ruby's own values, or a String of JSON.
  class Client
    # The configuration's keys are those of docs/configuration.md; what is not given comes from the environment.
    def initialize(json = nil, **config)
      config = c_text("config", json || config)
      client = Library.place
      Library.uninterrupted do
        @document = Library.call(:client_new, config, client).checked
        @client = Library.number(client)
        @async = Async.new(self, @client)
        # Not of this object: dup and clone copy a finalizer before they can be refused.
        @owner = Object.new
        ObjectSpace.define_finalizer(@owner, Client.finalizer(@client))
      end
    end

    def initialize_copy(_) = raise(TypeError, "a Mona::Client cannot be copied")

    # What Client.new found: a login that failed, for example.
    attr_reader :document

    def active? = Library[:client_is_active].call(@client) == 1

    # Sends messages and waits for the answer.
    def export(messages, options = nil)
      return export_async(messages, options).value if Fiber.current_scheduler

      messages = text(messages)
      Library.call(:export_json, @client, messages, messages.bytesize, optional(options)).checked
    end

    # Calls a service (docs/services.md) and waits for the answer.
    def service(name, arguments = {}, options = nil)
      return service_async(name, arguments, options).value if Fiber.current_scheduler

      name = c_text("service", name.to_s)
      arguments = text(arguments)
      size = arguments.bytesize
      Library.call(:service_call, @client, name, arguments, size, optional(options)).checked
    end

    # The same, at once: each gives a Call, whose value waits.
    def export_async(messages, options = nil)
      messages = text(messages)
      @async.start(:export_json_async, messages, messages.bytesize, optional(options))
    end

    def service_async(name, arguments = {}, options = nil)
      name = c_text("service", name.to_s)
      arguments = text(arguments)
      size = arguments.bytesize
      @async.start(:service_call_async, name, arguments, size, optional(options))
    end

    # Accepts messages and returns at once; libmona delivers them.
    def enqueue(messages, options = nil)
      messages = text(messages)
      Library.call(:enqueue_json, @client, messages, messages.bytesize, optional(options)).checked
    end

    # Waits until what was enqueued is settled; false when the time (in seconds) was up first. nil has no end.
    def flush(timeout = nil)
      Library.call(:flush, @client, milliseconds(timeout)).checked.status != Library::TIMEOUT
    end

    # Delivers what is enqueued, within so many seconds; later calls raise ClosedError.
    def close(timeout = 10)
      Library.call(:client_close, @client, milliseconds(timeout)).checked
    end

    # How the background delivery is going: docs/statistics.md.
    def stats = Library.call(:stats_json, @client).checked

    # Freeing delivers what is still enqueued, which the collector must not wait for. At the end of the program, when there are no
    # new threads any more, libmona itself delivers it.
    def self.finalizer(client)
      proc do
        Thread.new { Library[:client_free].call(client) }
      rescue ThreadError
        nil
      end
    end

    private

    # A copy, because other threads go on during the call and may change the caller's. How deep is too deep the library says.
    def text(value) = value.is_a?(String) ? value.dup.freeze : JSON.generate(value, max_nesting: false)
    def optional(options) = options && c_text("options", options)

    # C would read a text up to its first NUL.
    def c_text(name, value)
      text = text(value)
      raise ArgumentError, "#{name} must not contain NUL" if text.b.include?("\0")

      text
    end

    MOST_SECONDS = ((2**63) - 1) / 1000
    private_constant :MOST_SECONDS

    # For C, to which a negative time has no end; here only nil and infinity have none.
    def milliseconds(seconds)
      return -1 if seconds.nil?
      unless seconds.is_a?(Numeric) && seconds.real? && seconds == seconds # NaN is not
        raise ArgumentError, "a time-out must be seconds or nil, not #{seconds.inspect}"
      end
      return -1 if seconds.infinite? == 1

      (seconds.clamp(0, MOST_SECONDS) * 1000).to_i
    end
  end

  # Calls under way, and the thread that collects their ends. There is one while there are any.
  class Async
    # The owner is kept alive, and so its client is not freed, as long as the thread runs.
    def initialize(owner, client)
      @owner = owner
      @client = client
      forget
    end

    def start(function, *arguments)
      forget_parent if @process != Process.pid
      @lock.synchronize do
        Library.call(function, @client, *arguments, @tag += 1).checked
        @thread = Thread.new { collect } unless @thread&.alive?
        @calls[@tag] = Call.new
      end
    end

    private

    FORGETTING = Thread::Mutex.new
    private_constant :FORGETTING

    # A forked child has neither its parent's calls nor its threads. Of its own threads one forgets them, and the others wait for it.
    def forget_parent
      FORGETTING.synchronize { forget if @process != Process.pid }
    end

    # The process comes last: from then on other threads go ahead.
    def forget
      @lock = Thread::Mutex.new
      @calls = {}
      @tag = 0
      @thread = nil
      @process = Process.pid
    end

    def collect
      descriptor = IO.for_fd(Library[:event_fd].call(@client), autoclose: false)
      loop do
        descriptor.wait_readable
        while (event = poll)
          tag, document = event
          @lock.synchronize { @calls.delete(tag) }&.settle(document)
        end
        @lock.synchronize { return @thread = nil if @calls.empty? }
      end
    rescue StandardError => error
      @lock.synchronize do
        @thread = nil
        @calls.each_value { |call| call.settle(error) }.clear
      end
    end

    def poll
      tag = Library.place
      event = Library.call(:poll, @client, 0, tag)
      [Library.number(tag), Document.new(event["status"], event.json)] if event.status.zero?
    end
  end
end
