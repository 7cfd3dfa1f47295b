module example.com/mona

go 1.19
