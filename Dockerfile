# The page in a container, on the processor:
#   docker build -t seglab .
#   docker run --rm -p 7860:7860 -v seglab-runs:/runs seglab
FROM python:3.12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /seglab
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . pydensecrf2==1.1

FROM python:3.12-slim
RUN pip install --no-cache-dir torch==2.13.0 torchvision==0.28.0 --index-url https://download.pytorch.org/whl/cpu
COPY requirements.txt /seglab/requirements.txt
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir -r /seglab/requirements.txt /wheels/*.whl
RUN useradd --uid 1000 --create-home seglab && install --directory --owner 1000 /runs
USER 1000
WORKDIR /home/seglab
ENV SEGLAB_HOME=/runs
VOLUME /runs
EXPOSE 7860
CMD ["seglab", "app", "--host", "0.0.0.0", "--port", "7860"]
