# Memory, threads, fibers, the collector, the end of the program, and fork.

require "minitest/mock"
require "timeout"
require_relative "scheduler"
require_relative "support"

class TestThreads < Minitest::Test
  def setup
    Sandbox.reset(SLOW)
    @client = Mona::Client.new
  end

  def turns_while
    turns = 0
    (turns += 1) && sleep(0.001) while yield
    turns
  end

  def test_another_thread_goes_on_during_a_slow_call
    call = Thread.new { @client.export(MESSAGE) }
    assert_operator turns_while { call.alive? }, :>, 5
    assert_predicate call.value, :success?
  end

  def test_other_fibers_go_on_during_a_slow_call
    order = []
    Thread.new do
      Fiber.set_scheduler(Scheduler.new)
      Fiber.schedule { order << @client.export(MESSAGE)["sent"] }
      Fiber.schedule { 3.times { sleep(0.01) && order << :other } }
    end.join
    assert_equal [:other, :other, :other, 1], order
  end

  def test_a_time_out_of_rubys_own_ends_the_wait
    assert_raises(Timeout::Error) { Timeout.timeout(0.05) { @client.export_async(MESSAGE).value } }
  end

  def test_each_of_many_calls_gets_its_own_answer
    Sandbox.reset
    answers = Array.new(4) do |thread|
      Thread.new do
        calls = Array.new(50) { |number| @client.service_async("no_data_#{thread}_#{number}") rescue $!.message }
        calls + Array.new(50) { |number| @client.export_async([MESSAGE] * (number + 1)) }.map { |call| call.value["sent"] }
      end
    end.map(&:value)
    answers.each_with_index do |given, thread|
      assert_includes given[7], "no_data_#{thread}_7"
      assert_equal (1..50).to_a, given.last(50)
    end
  end

  def test_the_answer_of_one_call_can_be_had_by_many
    call = @client.export_async(MESSAGE)
    waiting = Array.new(3) { Thread.new { call.value["sent"] } }
    assert_equal [1, 1, 1], (waiting.map { |thread| thread.join(30)&.value })
    assert_equal 1, call.value["sent"]
  end

  def test_an_answer_may_be_deep
    deep = ("[" * 500) + ("]" * 500)
    Sandbox.reset(%([{"path":"/insights","json":{"response_data":#{deep}}}]))
    arguments = { context_class: "LOANS", min_segment_size: 1 }
    document = Timeout.timeout(30) { @client.service_async("get_insights", arguments).value }
    assert_equal deep, JSON.generate(document["data"], max_nesting: 0)
  end

  def async = @client.instance_variable_get(:@async)

  def test_what_ends_the_collecting_thread_is_raised_and_later_calls_have_another
    async.stub(:poll, -> { raise IOError, "broken" }) do
      assert_raises(IOError) { Timeout.timeout(30) { @client.export_async([]).value } }
    end
    assert_predicate Timeout.timeout(30) { @client.export_async([]).value }, :success?
  end

  def test_a_collecting_thread_that_was_killed_is_followed_by_another
    first = @client.export_async(MESSAGE)
    async.instance_variable_get(:@thread).kill.join
    calls = [first, @client.export_async(MESSAGE)]
    assert_equal [1, 1], Timeout.timeout(30) { calls.map { |call| call.value["sent"] } }
  end

  def test_a_client_that_nobody_holds_lives_until_its_calls_have_ended
    call = Mona::Client.new.export_async(MESSAGE)
    GC.start
    assert_equal 1, call.value["sent"]
  end
end

class TestMemory < Minitest::Test
  PAGE = 4096

  def setup
    Sandbox.reset
    @client = Mona::Client.new
  end

  def resident
    GC.start
    File.read("/proc/self/statm").split[1].to_i * PAGE
  end

  # Memory after many calls is what it was after some: a leak of one document a call would be three times the bound.
  def flat(share = 1)
    calls = CALLS / share
    2.times { yield calls / 5 }
    before = resident
    yield calls
    assert_operator resident - before, :<, 6 << 20
  end

  # Every kind of call, in the shares that keep this cheap.
  def one_of_many(number)
    case number % 100
    when 0 then @client.export(MESSAGE)
    when 1..10 then @client.enqueue(MESSAGE)
    when 11..20 then @client.stats
    when 21..30 then assert_raises(Mona::InvalidArgumentError) { @client.service("no_such_service") }
    else @client.export([])
    end
  end

  def test_calls_leave_nothing
    flat do |calls|
      calls.times { |number| one_of_many(number) }
      @client.flush
    end
  end

  def test_asynchronous_calls_leave_nothing
    flat { |calls| (calls / 20).times { Array.new(20) { @client.export_async([]) }.each(&:value) } }
  end

  def test_clients_leave_nothing
    # Collected as they come: how many wait for the collector is no leak.
    flat(100) do |calls|
      calls.times do |number|
        Mona::Client.new(authenticate_on_init: false)
        GC.start if (number % 20).zero?
      end
    end
  end
end

class TestEnds < Minitest::Test
  def setup
    Sandbox.reset
  end

  # What a program of its own says.
  def ruby(program)
    IO.popen([RbConfig.ruby, "-w", "-r", "#{ROOT}/examples-ffi/ruby/mona", "-e", program], err: %i[child out], &:read)
  end

  def test_what_is_enqueued_arrives_though_the_program_ends
    said = ruby("Mona::Client.new.enqueue({ message: { a: 1 }, contextClass: 'LOANS' })")
    assert_equal ["", 1], [said, Sandbox.messages.size]
  end

  def test_the_collector_leaves_freeing_to_another_thread
    said = ruby(<<~PROGRAM)
      10.times { Mona::Client.new.enqueue({ message: { a: 1 }, contextClass: 'LOANS' }) }
      GC.start
      Thread.list.each { |thread| thread.join unless thread == Thread.current }
    PROGRAM
    assert_equal ["", 10], [said, Sandbox.messages.size]
  end

  def test_a_client_cannot_be_copied_and_is_freed_once
    said = ruby(<<~PROGRAM)
      freed = Hash.new(0)
      free = Mona::Library[:client_free]
      free.define_singleton_method(:call) { |client| (freed[client] += 1) == 1 && super(client) }
      5.times do
        client = Mona::Client.new
        %i[dup clone].each do |copy|
          client.public_send(copy)
          abort "\#{copy} gave a copy"
        rescue TypeError
        end
      end
      GC.start
      Thread.list.each { |thread| thread.join unless thread == Thread.current }
      p freed.values.uniq
    PROGRAM
    assert_equal "[1]\n", said
  end

  def test_a_forked_child_uses_its_parents_client
    said = ruby(<<~PROGRAM)
      message = { message: { a: 1 }, contextClass: "LOANS" }
      client = Mona::Client.new
      use = lambda do
        client.export(message).success? or abort "export"
        client.export_async(message).value.success? or abort "export_async"
      end
      use.call
      child = fork do
        use.call
        client.enqueue(message)
      end
      use.call
      client.enqueue(message)
      Process.wait(child)
      abort "child" unless $?.success?
    PROGRAM
    assert_equal ["", 8], [said, Sandbox.messages.size]
  end
end
