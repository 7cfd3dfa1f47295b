// What C++ programs write: a client that frees itself, exceptions by status, futures.
// The account is taken from the environment (docs/configuration.md). include/mona.hpp documents every method.
#include <mona.hpp>

#include <iostream>
#include <string>
#include <vector>

static std::string loan(int number)
{
    return R"({"contextClass": "LOAN_APPLICATION", "contextId": "loan-)" + std::to_string(number) +
           R"(", "message": {"approved": true, "risk": 0.25}})";
}

// Waits for each answer.
static void one_after_another(mona::client &client)
{
    mona::result sent = client.export_json(loan(1));
    std::cout << "export: " << mona::status_name(sent.status) << " " << sent.document << "\n";
    std::cout << "config: " << client.service_call("get_config").document.substr(0, 60) << "…\n";
}

// Starts many calls and waits for all of them; the client's own thread collects.
static void many_at_once(mona::client &client)
{
    client.run_polls();
    std::vector<std::future<mona::result>> started;
    for (int number = 0; number < 100; number++)
        started.push_back(client.export_async(loan(number)));
    int sent = 0;
    for (auto &future : started)
        sent += future.get().ok();
    std::cout << sent << " of " << started.size() << " sent\n";
}

// Hands messages over and goes on; a thread of the library delivers them.
static void later(mona::client &client)
{
    for (int number = 0; number < 1000; number++)
        client.enqueue(loan(number));
    client.flush(std::chrono::seconds(10));
    std::cout << "statistics: " << client.stats() << "\n";
}

// A negative status is an exception of its own class.
static void what_goes_wrong(mona::client &client)
{
    try {
        client.service_call("get_confog");
    } catch (const mona::invalid_argument_error &error) {
        std::cout << error.kind() << ": " << error.what() << "\n";
    }
}

int main()
{
    try {
        mona::client client(R"({"raise_authentication_exceptions": true, "raise_export_exceptions": true})");
        one_after_another(client);
        many_at_once(client);
        later(client);
        what_goes_wrong(client);
        client.close(std::chrono::seconds(10));
    } catch (const mona::error &error) {
        std::cerr << mona::status_name(error.status()) << ": " << error.what() << "\n";
        return 1;
    }
    return 0;
}
