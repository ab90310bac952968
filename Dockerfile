# The demo in a container, on the CPU:
#   docker build -t hero-rl .
#   docker run --name hero-demo hero-rl
#   docker cp hero-demo:/results results
FROM python:3.12-slim

WORKDIR /opt/hero-rl
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src

# The CPU build of torch is a tenth of the usual one.
RUN pip install --no-cache-dir --constraint constraints.txt --extra-index-url https://download.pytorch.org/whl/cpu \
    '.[trl,report]'

RUN useradd --create-home hero && mkdir /results && chown hero /results
USER hero
WORKDIR /results

CMD ["hero", "demo", "--out", "/results"]
