"""How many street scenes one core draws in a second at 128 px, in each weather; the mark is 100.

python -m benchmarks.streets
"""

from time import process_time

from seglab.data.streets import WEATHERS, Streets

SCENES = 200


def main() -> None:
    for weather in ("mixed", *WEATHERS):
        train = Streets(train_images=SCENES, weather=weather).open().train
        train[0]  # loads OpenCV
        began = process_time()
        for n in range(SCENES):
            train[n]
        print(f"{weather:<6} {SCENES / (process_time() - began):6.0f} images a second of processor time")


if __name__ == "__main__":
    main()
