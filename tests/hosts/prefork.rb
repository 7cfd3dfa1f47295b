#!/usr/bin/env ruby
# A pre-fork server as unicorn and Puma's cluster mode fork: the master makes a client and uses it, then forks
# workers that go on with it, die by every way and are replaced, while the master's own threads go on sending. Every message
# arrives once. Runs beside a sandbox: scripts/with-sandbox tests/hosts/prefork.rb; MONA_TEST_FORKS is how many workers.
require "fiddle"
require "json"
require "net/http"
require "timeout"

module Mona
  FOLDER = ENV.fetch("CARGO_TARGET_DIR") { File.expand_path("../../target", __dir__) }
  LIBRARY = Fiddle.dlopen(ENV.fetch("MONA_LIBRARY", "#{FOLDER}/release/libmona.so"))
  POINTER, LONG, INT, VOID = Fiddle::TYPE_VOIDP, Fiddle::TYPE_LONG_LONG, Fiddle::TYPE_INT, Fiddle::TYPE_VOID

  def self.function(name, arguments, result = INT)
    Fiddle::Function.new(LIBRARY[name], arguments, result)
  end

  NEW = function("mona_client_new", [POINTER, POINTER, POINTER])
  EXPORT = function("mona_export_json", [POINTER, POINTER, LONG, POINTER, POINTER])
  ENQUEUE = function("mona_enqueue_json", [POINTER, POINTER, LONG, POINTER, POINTER])
  FLUSH = function("mona_flush", [POINTER, LONG, POINTER])
  FREE = function("mona_client_free", [POINTER], VOID)
  BEFORE_FORK = function("mona_before_fork", [])
  AFTER_FORK_PARENT = function("mona_after_fork_parent", [])
  AFTER_FORK_CHILD = function("mona_after_fork_child", [])

  MESSAGE = JSON.generate({message: {a: 1}, contextClass: "C"})

  def self.check(status)
    raise "status #{status}" unless status.zero?
  end

  class Client
    def initialize(config)
      slot = Fiddle::Pointer.malloc(Fiddle::SIZEOF_VOIDP, Fiddle::RUBY_FREE)
      Mona.check(NEW.call(JSON.generate(config), slot, nil))
      @handle = slot.ptr
    end

    def export = Mona.check(EXPORT.call(@handle, MESSAGE, -1, nil, nil))
    def enqueue = Mona.check(ENQUEUE.call(@handle, MESSAGE, -1, nil, nil))
    def flush = Mona.check(FLUSH.call(@handle, -1, nil))
    def free = FREE.call(@handle)
  end
end

# What a worker does with its two messages, and how it ends.
WAYS = [
  ->(client) { client.export; client.enqueue; client.flush },
  ->(client) { client.export; client.enqueue; client.free; exit 0 },
  ->(client) { client.enqueue; client.export; client.flush; exit! 0 },
  ->(client) { client.export; client.export; Process.kill(:KILL, Process.pid); sleep },
  ->(client) { client.export; wait_for(fork { client.enqueue; client.free; exit! 0 }) },
  ->(client) { client.export; client.export; exec "true" },
].freeze
PATIENCE = 60

def wait_for(pid)
  _, status = Timeout.timeout(PATIENCE) { Process.wait2(pid) }
  raise "a worker ended with #{status}" unless status.success? || status.termsig == Signal.list["KILL"]
end

# Every third worker is forked the announced way.
def fork_worker(client, number)
  announced = (number % 3).zero?
  Mona::BEFORE_FORK.call if announced
  pid = fork do
    Mona::AFTER_FORK_CHILD.call if announced
    WAYS[number % WAYS.size].call(client)
  end
  Mona.check(Mona::AFTER_FORK_PARENT.call) if announced
  pid
end

def messages = JSON.parse(Net::HTTP.get(URI("#{ENV.fetch("MONA_SANDBOX_URL")}/sandbox/health")))["messages"]

workers = Integer(ENV.fetch("MONA_TEST_FORKS", 60))
before = messages
client = Mona::Client.new({queue: {linger_ms: 0}})
stop = false
traffic = Array.new(2) do
  Thread.new do
    sent = 0
    until stop
      client.export
      client.enqueue
      sent += 2
    end
    sent
  end
end
# Workers are forked from several threads, four at a time, and each is waited for by the thread that forked it.
numbers = Queue.new
workers.times { |number| numbers << number }
numbers.close
master = Process.pid
forking = Array.new(4) do
  Thread.new do
    while Process.pid == master && (number = numbers.pop)
      wait_for(fork_worker(client, number))
    end
  end
end
forking.each(&:value)
stop = true
sent = traffic.sum(&:value)
client.flush
arrived = messages - before
client.free
wanted = sent + 2 * workers
abort "#{arrived} messages arrived, #{wanted} were sent" unless arrived == wanted
puts "#{workers} workers, #{arrived} messages"
