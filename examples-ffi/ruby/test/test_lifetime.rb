# Memory, threads, fibers, the collector, the end of the program, and fork.

require "etc"
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
  PAGE = Etc.sysconf(Etc::SC_PAGESIZE)

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

  # What a program of its own says; the first part of it comes before the wrapper.
  def ruby(program, first = "")
    program = "#{first}\nrequire '#{ROOT}/examples-ffi/ruby/mona'\n#{program}"
    IO.popen([RbConfig.ruby, "-w", "-e", program], err: %i[child out], &:read)
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

  def test_clients_are_freed_in_a_program_that_runs_when_its_file_has_ended
    said = ruby(<<~PROGRAM, "at_exit { program }")
      def program
        freed = 0
        Mona::Library[:client_free].define_singleton_method(:call) { |client| (freed += 1) && super(client) }
        10.times { Mona::Client.new }
        GC.start
        Thread.list.each { |thread| thread.join unless thread == Thread.current }
        p freed > 5
      end
    PROGRAM
    assert_equal "true\n", said
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

  def test_an_interrupt_while_c_returns_leaves_neither_a_document_nor_a_client
    said = ruby(<<~PROGRAM)
      interrupting = %i[client_new stats_json]
      interrupting.each do |name|
        Mona::Library[name].define_singleton_method(:call) do |*arguments|
          super(*arguments).tap { Thread.current.raise("interrupt") }
        end
      end
      freed = Hash.new(0)
      %i[string_free client_free].each do |name|
        Mona::Library[name].define_singleton_method(:call) { |given| (freed[name] += 1) && super(given) }
      end
      20.times do
        Mona::Client.new
      rescue RuntimeError
        freed[:new] += 1
      end
      GC.start
      Thread.list.each { |thread| thread.join unless thread == Thread.current }
      Mona::Library[:client_new].singleton_class.remove_method(:call)
      client = Mona::Client.new
      begin
        client.stats
      rescue RuntimeError
        freed[:stats] += 1
      end
      # The collector may take the latest one for used.
      p [freed[:new], freed[:stats], freed[:string_free], freed[:client_free] >= 15]
    PROGRAM
    assert_equal "[20, 1, 22, true]\n", said
  end

  def test_threads_of_a_forked_child_begin_calls_together
    Sandbox.reset(SLOW)
    said = ruby(<<~PROGRAM)
      message = { message: { a: 1 }, contextClass: "LOANS" }
      client = Mona::Client.new
      client.export_async([]).value
      child = fork do
        reached = Thread::Queue.new
        others = []
        # The first is held up while it forgets what its parent had under way.
        Thread::Mutex.define_singleton_method(:new) do
          if Thread.current[:first]
            reached << true
            Thread.pass until others.first&.stop?
          end
          super()
        end
        first = Thread.new do
          Thread.current[:first] = true
          client.export_async(message).value.success?
        end
        reached.pop
        others << Thread.new { client.export_async(message).value.success? }
        exit!([first, *others].all? { |thread| thread.join(20)&.value })
      end
      Process.wait(child)
      p $?.success?
    PROGRAM
    assert_equal "true\n", said
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
