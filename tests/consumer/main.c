#include <mona.h>
#include <stdio.h>

int main(void)
{
    printf("libmona %s\n", mona_version_string());
    return mona_version_number() == MONA_VERSION_NUMBER ? 0 : 1;
}
